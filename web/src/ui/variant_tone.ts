/** Backgrounds of a rollout's variants in neutral steps; neighbours always differ. */
const FILLS = ['fill-[var(--var-1)]', 'fill-[var(--var-2)]', 'fill-[var(--var-3)]'] as const
const BACKGROUNDS = ['bg-[var(--var-1)] text-[var(--var-1-fg)]', 'bg-[var(--var-2)] text-[var(--var-2-fg)]', 'bg-[var(--var-3)] text-[var(--var-3-fg)]'] as const

export function variantFill(index: number): string {
  return FILLS[index % FILLS.length] as string
}

export function variantBackground(index: number): string {
  return BACKGROUNDS[index % BACKGROUNDS.length] as string
}
