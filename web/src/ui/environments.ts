/** Whether an environment of this name is what users see. */
export function isProduction(name: string): boolean {
  return /^(prod|production|live)$/i.test(name)
}

/** Whether one of this name is where changes are tried before. */
export function isBeforeProduction(name: string): boolean {
  return /^(test|testing|qa|stage|staging|pre-?prod|uat)$/i.test(name)
}
