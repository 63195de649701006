import pLimit, { type LimitFunction } from 'p-limit'
import { isTidemarkError, TidemarkError } from '../core/tidemark-error.ts'
import type { LogNames } from '../db/log-names.ts'
import type { Connection } from '../db/queryable.ts'
import { isConnectionLoss, sqlstateOf } from '../db/sqlstate.ts'
import { appendGroup } from './append-group.ts'
import { appendOne } from './append-one.ts'
import type { AppendOutcome, AppendResult } from './append-outcome.ts'
import type { EncodedAppend } from './encode-append.ts'

export interface GroupCommitOptions {
  /**
   * Connections at most on which appends wait for other writers of their streams. Default 4; a store
   * takes a bit less than half of its `maxConnections`.
   */
  readonly maxWaiting?: number
  /** Appends that may be queued. Default 10,000. */
  readonly maxQueued?: number
  /** What a call does when so many are queued: wait for room (default), or be refused. */
  readonly whenFull?: 'wait' | 'reject'
}

const defaults = { maxWaiting: 4, maxQueued: 10_000, whenFull: 'wait' as const }

/** Keeps a statement short, so that no append waits long for those it shares it with. */
const maxGroup = { appends: 200, events: 1_000 }

/**
 * Statements under way at once: one waits for the disk while the other is carried out. Only where each
 * has enough to do: with few writers two of them halve the groups, and were half as fast with 8
 * (bench/append.ts, 2026-11-21).
 */
const maxUnderWay = 2

/** Appends from which on a statement is begun beside another. */
const minShare = 32

type Outcomes = readonly AppendOutcome[]

type Within = (
  appends: readonly EncodedAppend[],
  carryOut: (connection: Connection) => Promise<Outcomes>,
) => Promise<Outcomes>

interface Pending {
  readonly append: EncodedAppend
  readonly settle: (outcome: AppendOutcome) => void
  readonly signal: AbortSignal | undefined
}

/**
 * Gathers the appends of a process that come while others are under way into one statement and one
 * commit. An append that comes alone is carried out at once.
 *
 * A statement never waits for a stream that somebody else is writing: appends to such a stream leave
 * the group and wait on a connection of their own, one per stream, so that a long transaction holds
 * up nobody but the writers of its stream. A statement that the server refuses, because one append
 * has a value that it cannot store, is split, so that only that one fails.
 */
export class GroupCommit {
  readonly #names: LogNames
  readonly #options: Required<GroupCommitOptions>
  readonly #waiting: LimitFunction
  readonly #within: Within
  readonly #queue: Pending[] = []
  /** Streams that somebody else is writing, with the appends that wait for them. */
  readonly #held = new Map<string, Pending[]>()
  readonly #wantRoom: (() => void)[] = []
  #pending = 0
  #isScheduled = false
  readonly #underWay = new Set<readonly Pending[]>()
  #isClosed = false
  #drained: (() => void) | undefined

  /** @param within runs a statement, and what has to be done in its transaction. */
  constructor(
    connection: Connection,
    names: LogNames,
    options: GroupCommitOptions = {},
    within: Within = (_appends, carryOut) => carryOut(connection),
  ) {
    this.#names = names
    this.#within = within
    this.#options = { ...defaults, ...options }
    this.#waiting = pLimit(this.#options.maxWaiting)
  }

  /** Appends that are queued or under way. */
  get pending(): number {
    return this.#pending
  }

  /**
   * Carries out an append, in a transaction that it may share with others.
   *
   * @param signal takes it back while it is queued. Once it is under way it is carried out.
   * @throws APPEND_QUEUE_FULL, STORE_CLOSED: nothing was written.
   */
  async append(append: EncodedAppend, signal?: AbortSignal): Promise<AppendResult> {
    this.#refuse(signal)
    // Without room only: an append that need not wait is queued before the call returns.
    if (this.#pending >= this.#options.maxQueued) await this.#untilRoom(signal)
    this.#pending += 1
    const { promise, resolve } = Promise.withResolvers<AppendOutcome>()
    const pending: Pending = { append, settle: resolve, signal }
    const takeBack = () => this.#takeBack(pending)
    signal?.addEventListener('abort', takeBack)
    this.#add(pending)
    const outcome = await promise
    signal?.removeEventListener('abort', takeBack)
    this.#leave()
    if ('result' in outcome) return outcome.result
    throw 'error' in outcome ? outcome.error : new Error('an append was not carried out')
  }

  /** Refuses further appends, and waits for those that are queued or under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const wake of this.#wantRoom.splice(0)) wake()
    if (this.#pending === 0) return
    await new Promise<void>((resolve) => {
      this.#drained = resolve
    })
  }

  async #untilRoom(signal: AbortSignal | undefined): Promise<void> {
    while (this.#pending >= this.#options.maxQueued) {
      if (this.#options.whenFull === 'reject') throw queueFull(this.#pending)
      await this.#room(signal)
      this.#refuse(signal)
    }
  }

  #refuse(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted()
    if (this.#isClosed) throw storeClosed()
  }

  #room(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      this.#wantRoom.push(wake)
      signal?.addEventListener('abort', wake)
    })
  }

  #leave(): void {
    this.#pending -= 1
    this.#wantRoom.shift()?.()
    if (this.#pending === 0) this.#drained?.()
  }

  #add(pending: Pending): void {
    const held = this.#held.get(pending.append.streamId)
    if (held !== undefined) {
      held.push(pending)
      return
    }
    this.#queue.push(pending)
    // Not at once: whatever is appended in the same turn of the event loop shares the statement.
    this.#schedule()
  }

  #takeBack(pending: Pending): void {
    for (const list of [this.#queue, this.#held.get(pending.append.streamId)]) {
      const index = list?.indexOf(pending) ?? -1
      if (index < 0) continue
      list?.splice(index, 1)
      pending.settle({ error: pending.signal?.reason })
    }
  }

  /** At the end of this turn: whatever is appended until then shares the statement. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    process.nextTick(() => {
      this.#isScheduled = false
      this.#carryOut()
    })
  }

  #carryOut(): void {
    while (this.#underWay.size < maxUnderWay) {
      // Beside another one, only what is worth a statement of its own.
      const isAlone = this.#underWay.size === 0
      if (this.#queue.length < (isAlone ? 1 : minShare)) return
      const group = this.#takeNext()
      if (group.length === 0) return
      this.#underWay.add(group)
      void this.#run(group, false).then(() => {
        this.#underWay.delete(group)
        this.#schedule()
      })
    }
  }

  /** Takes what comes next; of a long queue half, if nothing is under way: the other half is next. */
  #takeNext(): readonly Pending[] {
    const { length } = this.#queue
    const isShared = this.#underWay.size === 0 && length >= 2 * minShare
    const share = isShared ? Math.ceil(length / 2) : length
    // Not to a stream that a statement under way is writing: it would wait for that.
    const busy = new Set([...this.#underWay].flat().map(({ append }) => append.streamId))
    const group = takeGroup(
      busy.size === 0
        ? this.#queue
        : this.#queue.filter(({ append }) => !busy.has(append.streamId)),
      share,
    )
    const taken = new Set(group)
    const left = this.#queue.filter((pending) => !taken.has(pending))
    this.#queue.splice(0, length, ...left)
    return group
  }

  /** Carries out a group, and settles each of its appends or has it tried again. Never throws. */
  async #run(group: readonly Pending[], patient: boolean): Promise<void> {
    try {
      const outcomes = await this.#execute(group, patient)
      for (const pending of this.#deal(group, outcomes)) await this.#run([pending], patient)
    } catch (error) {
      if (group.length > 1 && wasRolledBack(error)) {
        for (const pending of group) await this.#run([pending], patient)
      } else {
        for (const { settle } of group) settle({ error: error as Error })
      }
    }
  }

  /** Settles what has an outcome, holds what has to wait, and returns what is to be tried alone. */
  #deal(group: readonly Pending[], outcomes: readonly AppendOutcome[]): readonly Pending[] {
    const alone: Pending[] = []
    for (const [index, pending] of group.entries()) {
      const outcome = outcomes[index] ?? { again: 'patiently' }
      if (!('again' in outcome)) pending.settle(outcome)
      else if (outcome.again === 'alone') alone.push(pending)
      else this.#hold(pending)
    }
    return alone
  }

  #execute(group: readonly Pending[], patient: boolean): Promise<Outcomes> {
    const appends = group.map(({ append }) => append)
    const [only] = appends
    return this.#within(appends, async (connection) =>
      only === undefined || appends.length > 1
        ? appendGroup(connection, this.#names, appends, patient)
        : [await appendOne(connection, this.#names, only, patient)],
    )
  }

  #hold(pending: Pending): void {
    const { streamId } = pending.append
    const held = this.#held.get(streamId)
    if (held !== undefined) {
      held.push(pending)
      return
    }
    const list = [pending]
    this.#held.set(streamId, list)
    void this.#waiting(async () => {
      while (list.length > 0) {
        const group = takeGroup(list)
        list.splice(0, group.length)
        await this.#run(group, true)
      }
      this.#held.delete(streamId)
    })
  }
}

/** The first of a queue, as many as one statement may have. */
function takeGroup(queue: readonly Pending[], limit = maxGroup.appends): readonly Pending[] {
  let events = 0
  let appends = 0
  for (const { append } of queue) {
    events += append.events[0].length
    if (appends > 0 && (events > maxGroup.events || appends >= Math.min(limit, maxGroup.appends)))
      break
    appends += 1
  }
  return queue.slice(0, appends)
}

/** Whether it is known what is wrong, so that nothing of the statement was kept. */
function wasRolledBack(error: unknown): boolean {
  if (
    isTidemarkError(error, 'HANDLER_FAILED') ||
    isTidemarkError(error, 'PROJECTION_NOT_APPLIED')
  ) {
    return true
  }
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  return sqlstateOf(cause) !== undefined && !isConnectionLoss(cause)
}

function queueFull(queued: number): TidemarkError {
  return new TidemarkError(
    'APPEND_QUEUE_FULL',
    `${queued} appends are queued already: append less at once, or let calls wait for room`,
    { details: { queued } },
  )
}

function storeClosed(): TidemarkError {
  const reason = 'the store was closed'
  return new TidemarkError('STORE_CLOSED', `cannot append: ${reason}`, { details: { reason } })
}
