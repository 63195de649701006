import type { Random } from '../support/random.ts'

/** How often each of several things is chosen, beside the others. 0: never. */
export type Weights<Name extends string = string> = Readonly<Record<Name, number>>

/** Chooses by weight. Draws once. */
export function pickWeighted<Name extends string>(random: Random, weights: Weights<Name>): Name {
  const names = Object.keys(weights) as Name[]
  const total = names.reduce((sum, name) => sum + weights[name], 0)
  let drawn = random.between(1, total)
  for (const name of names) {
    drawn -= weights[name]
    if (drawn <= 0) return name
  }
  throw new RangeError('nothing to pick from')
}

/** A generator of its own, so that what it is asked for changes nothing for the others. */
export function seedOf(random: Random): number {
  return random.between(0, 2 ** 31 - 1)
}
