/** Masks an address for a message: removes its user, password, query and fragment. */
export function maskedUrl(address: string): string {
  const at = address.lastIndexOf("@");
  const plain = address.slice(at + 1).replace(/[?#].*/s, "");
  if (at < 0) return plain;
  const [scheme = ""] = /^[^/?#]*\/\//.exec(address.slice(0, at)) ?? [];
  return `${scheme}***@${plain}`;
}
