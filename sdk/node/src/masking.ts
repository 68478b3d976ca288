/** An address for a message: without its user and password. */
export function maskedUrl(address: string): string {
  return address.replace(/^([a-z][a-z0-9+.-]*:)?\/\/[^/?#]*@/i, "$1//***@");
}
