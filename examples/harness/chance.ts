import { createHash } from 'node:crypto'

/** A seeded source of chance: the same name draws the same numbers in every run. */
export interface Chance {
  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number
  happens(probability: number): boolean
  pick<T>(items: readonly T[]): T
  /** Another source, whose draws change nothing for this one. */
  named(name: string): Chance
}

/** Makes a source of chance: the n-th number of a name is a hash of both. */
export function chance(name: string): Chance {
  let drawn = 0
  /** From 0, below 1. */
  const next = () => {
    drawn += 1
    return createHash('sha256').update(`${name}#${drawn}`).digest().readUInt32BE() / 2 ** 32
  }
  return {
    between: (min, max) => min + Math.floor(next() * (max - min + 1)),
    happens: (probability) => next() < probability,
    pick: (items) => {
      const item = items[Math.floor(next() * items.length)]
      if (item === undefined) throw new RangeError('there is nothing to pick from')
      return item
    },
    named: (other) => chance(`${name}/${other}`),
  }
}
