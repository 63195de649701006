import { word } from './content.ts'
import { type Author, ODD_AUTHORS } from './odd-names.ts'
import type { Random } from './random.ts'

/** How often an odd author writes. */
const ODD_SHARE = 0.1

/**
 * Makes a source of authors: a few write most of the commits, and the odd ones take turns, so that
 * each of them appears early.
 */
export function createPeople(count: number, random: Random): () => Author {
  const people = Array.from({ length: count }, (_, index) => ordinaryAuthor(index, random))
  let turns = 0
  return () => {
    if (random.chance(ODD_SHARE)) {
      turns += 1
      return ODD_AUTHORS[turns % ODD_AUTHORS.length] as Author
    }
    return people[random.skewed(people.length)] as Author
  }
}

function ordinaryAuthor(index: number, random: Random): Author {
  const first = capital(word(random))
  const last = capital(word(random))
  return { name: `${first} ${last}`, email: `${first}.${last}.${index}@example.com`.toLowerCase() }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
