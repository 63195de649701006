/** Which events a reactor passes over, and when. */
export interface ShedOptions<Type extends string = string> {
  /** Types of events that can wait for a person to have them replayed. */
  readonly types: readonly Type[]
  /** It begins to shed when it is more positions of the log behind than this. */
  readonly highWater: number
  /** It ceases when it is no more than this behind. Default: half of `highWater`. */
  readonly lowWater?: number
}

/** Decides from run to run whether a reactor sheds, by two marks, so that it does not go to and fro. */
export class LoadShedder {
  readonly #types: ReadonlySet<string>
  readonly #highWater: bigint
  readonly #lowWater: bigint
  #behind = 0n
  #isShedding = false

  constructor({ types, highWater, lowWater = Math.floor(highWater / 2) }: ShedOptions) {
    this.#types = new Set(types)
    this.#highWater = BigInt(highWater)
    this.#lowWater = BigInt(lowWater)
  }

  /** How far behind the reactor was when it was last observed, in positions. */
  get behind(): bigint {
    return this.#behind
  }

  get isShedding(): boolean {
    return this.#isShedding
  }

  /** @returns whether it begins or ceases to shed. */
  observe(behind: bigint): boolean {
    const before = this.#isShedding
    this.#behind = behind
    this.#isShedding = behind > (before ? this.#lowWater : this.#highWater)
    return this.#isShedding !== before
  }

  /** Whether an event of this type is passed over now. */
  sheds(type: string): boolean {
    return this.#isShedding && this.#types.has(type)
  }
}
