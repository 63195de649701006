import type { SequencedEvent } from '../core/recorded-event.ts'
import type { FetchedRun, LogCursor, LogRun } from './read-run.ts'
import type { Subscriber } from './subscriber.ts'

/** Reads the next run with the events of some types. */
export type ReadTypes = (types: readonly string[]) => Promise<FetchedRun>

/** A run that several subscriptions have or will ask for. */
interface SharedRun {
  readonly after: bigint
  readonly types: ReadonlySet<string>
  readonly run: Promise<FetchedRun>
  /** Who has not asked for it yet. */
  readonly awaited: Set<Subscriber>
}

/**
 * Runs kept at most, whoever has not asked for them: who is slower than all others by more reads for
 * itself, and meets them again at the head.
 */
const maxRuns = 4

/**
 * Lets the subscriptions of one process that stand at one position near the head read it once: the events
 * of all their types, of which each gets its own. A run goes as soon as all have got it.
 */
export class SharedReads {
  readonly #followers = new Set<Subscriber>()
  /** By run of the server and position. */
  readonly #runs = new Map<string, SharedRun>()

  /** Does not count a subscription any more: it is far behind, or ends. */
  leave(subscriber: Subscriber): void {
    this.#followers.delete(subscriber)
    for (const key of [...this.#runs.keys()]) this.#take(key, subscriber)
  }

  /**
   * Reads the run after a position, or gets the one that another subscription has read there.
   *
   * @param serverRun as it was when the delivery began: what was read from another is not to be had.
   * @returns undefined when there is nobody to share it with, or when nobody has read these types there.
   */
  async read(
    subscriber: Subscriber,
    serverRun: string,
    after: LogCursor,
    read: ReadTypes,
  ): Promise<LogRun | undefined> {
    this.#followers.add(subscriber)
    if (this.#followers.size === 1) return undefined
    const key = `${serverRun}@${after.position}`
    const shared = this.#runs.get(key) ?? this.#begin(key, after.position, read)
    this.#take(key, subscriber)
    if (!subscriber.types.every((type) => shared.types.has(type))) return undefined
    return shareOf(subscriber, await shared.run)
  }

  /** Ends a run where the others read on, so that the next one is shared. */
  meet<R extends LogRun>(serverRun: string, after: LogCursor, run: R): R {
    const starts = [...this.#runs]
      .filter(([key]) => key.startsWith(`${serverRun}@`))
      .map(([, shared]) => shared.after)
      .filter((start) => start > after.position && start < run.end.position)
    const last = starts.reduce((a, b) => (a > b ? a : b), 0n)
    if (last === 0n) return run
    const events = run.events?.filter(({ position }) => position <= last) ?? null
    return { ...run, events, end: { position: last, insertId: null } }
  }

  #begin(key: string, after: bigint, read: ReadTypes): SharedRun {
    const types = new Set([...this.#followers].flatMap((follower) => follower.types))
    const run = read([...types]).then(freezeRun)
    const shared = { after, types, run, awaited: new Set(this.#followers) }
    this.#runs.set(key, shared)
    // Who asks after it failed tries again.
    run.catch(() => this.#runs.delete(key))
    const [oldest] = this.#runs.keys()
    if (this.#runs.size > maxRuns && oldest !== undefined) this.#runs.delete(oldest)
    return shared
  }

  #take(key: string, subscriber: Subscriber): void {
    const shared = this.#runs.get(key)
    shared?.awaited.delete(subscriber)
    if (shared?.awaited.size === 0) this.#runs.delete(key)
  }
}

/** Who reads in the server learns only whether there is anything to read. */
function shareOf({ types, fetches }: Subscriber, { events, end }: FetchedRun): LogRun {
  const own = events.filter(({ type }) => types.includes(type))
  return { events: fetches || own.length === 0 ? own : null, end }
}

/** A handler that changed an event would change it for all others: it throws instead. */
function freezeRun(run: FetchedRun): FetchedRun {
  for (const event of run.events) freezeEvent(event)
  return run
}

/** Has a handler that changes an event fail, which others get too. */
export function freezeEvent(event: SequencedEvent): void {
  freezeDeep(event.data)
  freezeDeep(event.metadata)
  Object.freeze(event.tags)
  Object.freeze(event)
}

function freezeDeep(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  Object.freeze(value)
  for (const part of Object.values(value)) freezeDeep(part)
}
