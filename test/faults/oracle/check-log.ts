import type { FaultList } from './fault-list.ts'

/** A row of the ledger with the events that the same snapshot shows of it, in insert order. */
export interface LogCommit {
  /** Of the commit's last event. */
  readonly position: bigint
  readonly eventCount: number
  /** Incarnation and transaction id. */
  readonly transaction: string
  readonly events: readonly LogEvent[]
}

export interface LogEvent {
  readonly id: string
  readonly streamId: string
  readonly version: bigint
  readonly type: string
  readonly data: { readonly account: string; readonly amount: number }
  /** Ids of events that its writer had seen, committed by others, before it wrote this one. */
  readonly seen: readonly string[]
}

/** Checks a log commit by commit, in the order of their positions, whatever is still to come. */
export class LogChecker {
  readonly #faults: FaultList
  readonly #positions = new Map<string, bigint>()
  readonly #versions = new Map<string, bigint>()
  #last = 0n

  constructor(faults: FaultList) {
    this.#faults = faults
  }

  /** The position up to which the log was taken. */
  get last(): bigint {
    return this.#last
  }

  get eventCount(): number {
    return this.#positions.size
  }

  has(eventId: string): boolean {
    return this.#positions.has(eventId)
  }

  take(commit: LogCommit): void {
    const { position, eventCount, transaction, events } = commit
    const before = position - BigInt(eventCount)
    if (before !== this.#last) {
      const found = `transaction ${transaction} covers ${before + 1n} to ${position}`
      this.#faults.add('dense', `${found}, and ${this.#last + 1n} is next`)
    }
    if (events.length !== eventCount) {
      const promised = `transaction ${transaction} at position ${position} has ${eventCount} events`
      this.#faults.add('visible', `${promised}, and ${events.length} are to be seen`)
    }
    for (const [index, event] of events.entries()) {
      this.#takeEvent(event, before + BigInt(index) + 1n, before)
    }
    this.#last = position
  }

  #takeEvent(event: LogEvent, position: bigint, before: bigint): void {
    const { id, streamId, version, seen } = event
    const earlier = this.#positions.get(id)
    if (earlier === undefined) this.#positions.set(id, position)
    else this.#faults.add('repeated', `event ${id} is at ${earlier} and at ${position}`)

    const next = (this.#versions.get(streamId) ?? 0n) + 1n
    if (version !== next) {
      const found = `stream "${streamId}" has version ${version} at position ${position}`
      this.#faults.add('version', `${found}, and ${next} is next`)
    }
    this.#versions.set(streamId, version)

    for (const other of seen) {
      const place = this.#positions.get(other)
      if (place !== undefined && place <= before) continue
      const found = place === undefined ? 'has no position before' : `is at ${place}`
      this.#faults.add('order', `event ${id} at ${position} saw event ${other}, which ${found}`)
    }
  }
}
