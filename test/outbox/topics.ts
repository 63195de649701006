import fc from 'fast-check'

const word = fc.constantFrom('a', 'b', 'ab', 'order', 'a+b', '(', '\\', 'é', '$')

/** Short topics of few words, so that patterns often match. */
export const topic = fc.array(word, { minLength: 1, maxLength: 6 }).map((words) => words.join('.'))

export const pattern = fc
  .array(fc.oneof(word, fc.constantFrom('*', '#')), { minLength: 1, maxLength: 6 })
  .map((words) => words.join('.'))

/** What the words of a pattern mean, word for word. */
export function matchesByModel(topic: string, pattern: string): boolean {
  return matches(topic.split('.'), pattern.split('.'))
}

function matches(words: readonly string[], pattern: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return words.length === 0
  if (first === '#') {
    return matches(words, rest) || (words.length > 0 && matches(words.slice(1), pattern))
  }
  return words.length > 0 && (first === '*' || first === words[0]) && matches(words.slice(1), rest)
}
