// In a variable: Vite would take the whole expression for the address of a file.
const script = import.meta.url

/** The path of the console with a slash at its end: `/`, or such as `/promptops/` behind a proxy. Built scripts are in `assets/` below it. */
export const BASE = import.meta.env.DEV ? '/' : new URL('..', script).pathname

/** The address that programs use, such as `https://example.org/promptops`. */
export const server = (): string => location.origin + BASE.slice(0, -1)

/** A path of the platform, such as `/docs`, as a browser has to ask for it. */
export const below = (path: string): string => BASE + path.slice(1)
