/** Draws that depend on the seed and on nothing else. */
export interface Random {
  /** From 0 up to, not including, 1. */
  fraction(): number
  /** A whole number from 0 up to, not including, `end`. */
  below(end: number): number
  /** A whole number from 0 up to, not including, `end`: small ones come far more often. */
  skewed(end: number): number
  chance(probability: number): boolean
  pick<T>(list: readonly [T, ...T[]]): T
  /** Draws a name by its weight. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name
}

/** Makes a generator (mulberry32 by Tommy Ettinger, public domain). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0

  function fraction(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  const below = (end: number) => Math.floor(fraction() * end)
  return {
    fraction,
    below,
    skewed: (end) => Math.floor(fraction() ** 3 * end),
    chance: (probability) => fraction() < probability,
    pick: (list) => list[below(list.length)] ?? list[0],
    weighted: (weights) => drawByWeight(weights, fraction()),
  }
}

function drawByWeight<Name extends string>(
  weights: Readonly<Record<Name, number>>,
  fraction: number,
): Name {
  const names = Object.keys(weights) as Name[]
  const total = names.reduce((sum, name) => sum + weights[name], 0)
  let left = fraction * total
  const drawn = names.find((name) => {
    left -= weights[name]
    return left < 0
  })
  return drawn ?? (names[0] as Name)
}
