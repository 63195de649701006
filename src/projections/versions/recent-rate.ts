/** What happened in the last seconds tells more of the next ones than all since the start. */
const windowMs = 5_000

/** Measures how fast a position moves, over the last seconds. */
export class RecentRate {
  readonly #samples: { readonly at: number; readonly position: bigint }[] = []

  /**
   * Takes a sample.
   *
   * @param at milliseconds of any clock that only goes forward.
   * @returns positions a second since the oldest sample that still counts; 0 for the first.
   */
  add(position: bigint, at: number): number {
    this.#samples.push({ at, position })
    // The one from which on the window counts stays.
    while ((this.#samples[1]?.at ?? at) <= at - windowMs) this.#samples.shift()
    const [oldest] = this.#samples
    if (oldest === undefined || oldest.at === at) return 0
    return Math.max(0, (Number(position - oldest.position) / (at - oldest.at)) * 1_000)
  }
}
