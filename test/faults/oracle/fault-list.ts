export const rules = [
  /** Each commit's positions begin where those before end, from 1. */
  'dense',
  /** Whoever sees a position sees all its events. */
  'visible',
  /** An event has one position. */
  'repeated',
  /** An event that is committed has a position. */
  'lost',
  /** A transaction is there as a whole or not at all. */
  'torn',
  /** Nothing is there that was rolled back, or that nobody wrote. */
  'rolled back',
  /** The versions of a stream ascend with the position, without a hole. */
  'version',
  /** What saw a commit comes after it. */
  'order',
  /** A position never changes once it is seen. */
  'moved',
  /** A projection's tables are what a plain fold over the log gives. */
  'projection',
  /** What appends have to apply is applied when they are committed. */
  'inline',
  /** What is parked keeps the order of its key, and is applied once nothing is wrong with it. */
  'parked',
  /** Each event that asks for a job has one. */
  'job',
  /** What is published is there once, and comes to the broker, each key in its order. */
  'message',
  /** Everything comes to an end: workers catch up, processes end when asked to and not before. */
  'stuck',
] as const

/** What must hold. Each fault says which rule it breaks. */
export type Rule = (typeof rules)[number]

export interface Fault {
  readonly rule: Rule
  readonly text: string
}

/** How many faults of a rule are kept in words. */
const kept = 5

/** Faults as they are found: all of them counted, the first ones of each rule kept. */
export class FaultList {
  readonly counts = new Map<Rule, number>()
  readonly faults: Fault[] = []

  add(rule: Rule, text: string): void {
    const count = (this.counts.get(rule) ?? 0) + 1
    this.counts.set(rule, count)
    if (count <= kept) this.faults.push({ rule, text })
  }

  get isEmpty(): boolean {
    return this.counts.size === 0
  }

  hasAny(rules: readonly Rule[]): boolean {
    return rules.some((rule) => this.counts.has(rule))
  }
}
