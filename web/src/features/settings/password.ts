/** Without letters that look alike. */
const LETTERS = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const GROUPS = 4
const LETTERS_IN_GROUP = 5

/** A password that can be read out: four groups of five letters, 115 bits. */
export function generatePassword(): string {
  const letter = () => {
    // Values at the end of the range would make the first letters likelier.
    const limit = 256 - (256 % LETTERS.length)
    let [value = 0] = crypto.getRandomValues(new Uint8Array(1))
    while (value >= limit) [value = 0] = crypto.getRandomValues(new Uint8Array(1))
    return LETTERS[value % LETTERS.length]
  }
  const group = () => Array.from({ length: LETTERS_IN_GROUP }, letter).join('')
  return Array.from({ length: GROUPS }, group).join('-')
}
