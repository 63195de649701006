import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { connect } from '../db/connect.ts'
import { keepTrying } from '../db/keep-trying.ts'
import { advisoryLockKey, type LogNames } from '../db/log-names.ts'
import { cutOnAbort, disconnect } from '../db/session/disconnect.ts'
import { keepSession } from '../db/session/keep-session.ts'
import { liftTimeLimits } from '../db/session/time-limits.ts'
import { pause } from '../db/wait.ts'
import { LogHead } from './log-head.ts'
import { hintToLook, joinSessions, type LookAround, lookAround, lookHint } from './look-around.ts'
import { type Partition, whole } from './partitions/partition.ts'
import { type PartitionClaim, PartitionShares } from './partitions/partition-shares.ts'
import type { SubscriptionId } from './subscription-id.ts'
import { Waiters } from './waiters.ts'

export interface LogSessionOptions {
  readonly connectionString: string
  readonly names: LogNames
  readonly logger: Logger
  /**
   * How often one of all sessions of the log looks for what no notification told: a missed position, a
   * subscription or a lead that nobody has any more. Each looks the more rarely the more they are.
   */
  readonly pollIntervalMs: number
}

/** However many sessions there are, each looks this often. */
const longestPauseMs = 10_000

/** How long the server may take to answer before the connection is made anew. */
const silence = { everyMs: 5_000, askAfterMs: 60_000, giveUpAfterMs: 15_000 }

/**
 * How long a session may ask nothing before the server ends it, so that others take over its
 * subscriptions: longer than the longest pause, and than a handler usually blocks the event loop.
 */
const silentClientMs = 30_000

interface Claim extends PartitionClaim {
  readonly key: string
  readonly lost: AbortController
  owned: boolean
  /** Whether whoever wanted it knows that he owns it. */
  isLeased: boolean
}

/**
 * A process's one connection for waiting: it hears of new positions, and it holds the advisory locks
 * that spread subscriptions over processes. The locks only save work; the compare-and-set of the
 * checkpoint is what makes delivery exact. When the connection is lost so are the locks and what is known
 * of the head, and the next one begins anew: it may lead to another server, whose log ends earlier.
 */
export class LogSession {
  readonly head = new LogHead()
  /** Of the outbox. */
  readonly outboxHead = new LogHead()
  readonly #options: LogSessionOptions
  readonly #claims = new Set<Claim>()
  #client: pg.Client | undefined
  #isHurried = false
  #lastLook: LookAround | undefined
  readonly #looks = new Waiters()
  #endPause: () => void = () => {}

  constructor(options: LogSessionOptions) {
    this.#options = options
  }

  /** Keeps the connection until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { logger } = this.#options
    await keepTrying((healthy) => this.#keep(healthy, signal), { task: 'session', signal, logger })
  }

  /**
   * Waits until this process owns the subscription, or a partition of it. Of the partitions it takes no
   * more than its share, and gives up what is over when another process comes.
   *
   * @returns a lease to release, or undefined when it was aborted first.
   */
  async own(
    id: SubscriptionId,
    signal: AbortSignal,
    partition: Partition = whole,
  ): Promise<Lease | undefined> {
    const { names } = this.#options
    const key = ownershipLockKey(names, id, partition.index)
    const group = partition.count === 1 ? null : followersKey(names, id)
    return this.#claim({ key, group, count: partition.count }, signal)
  }

  /**
   * Waits until this session holds an advisory lock.
   *
   * @returns a lease to release, or undefined when it was aborted first.
   */
  async hold(key: bigint, signal: AbortSignal): Promise<Lease | undefined> {
    return this.#claim({ key: key.toString(), group: null, count: 1 }, signal)
  }

  async #claim(
    wanted: Pick<Claim, 'key' | 'group' | 'count'>,
    signal: AbortSignal,
  ): Promise<Lease | undefined> {
    const lost = new AbortController()
    const claim: Claim = { ...wanted, lost, owned: false, isLeased: false }
    this.#claims.add(claim)
    this.#hurry()
    const lease: Lease = { lost: lost.signal, release: () => this.#release(claim) }
    while (!claim.owned && !signal.aborted) await this.#looks.next(signal)
    if (signal.aborted) {
      await lease.release()
      return undefined
    }
    claim.isLeased = true
    return lease
  }

  /** What tells whether versions of projections came or changed; undefined before the first look. */
  get versions(): string | undefined {
    return this.#lastLook?.versions
  }

  /** What tells whether numbers of partitions changed; undefined before the first look. */
  get partitions(): string | undefined {
    return this.#lastLook?.partitions
  }

  /** Waits until a number of partitions changed, or until aborted. */
  async untilPartitionsDiffer(from: string | undefined, signal: AbortSignal): Promise<void> {
    while (this.partitions === from && !signal.aborted) await this.untilLooked(signal)
  }

  /** Waits until versions of projections came or changed, or until aborted. */
  async untilVersionsDiffer(from: string | undefined, signal: AbortSignal): Promise<void> {
    while (this.versions === from && !signal.aborted) await this.untilLooked(signal)
  }

  /** Waits until a look finds that no process leads the sequencer, or until aborted. */
  async untilLeaderless(signal: AbortSignal): Promise<void> {
    do await this.untilLooked(signal)
    while (this.#lastLook?.isLed !== false && !signal.aborted)
  }

  /** Waits until this session has looked around once more, or until aborted. */
  untilLooked(signal: AbortSignal): Promise<void> {
    return this.#looks.next(signal)
  }

  async #release(claim: Claim): Promise<void> {
    this.#claims.delete(claim)
    if (!claim.owned) return
    claim.owned = false
    await this.#client?.query('select pg_advisory_unlock($1)', [claim.key]).catch(() => {})
    if (claim.group === null) return
    await this.#client?.query(hintToLook(this.#options.names)).catch(() => {})
  }

  async #keep(healthy: () => void, signal: AbortSignal): Promise<void> {
    const { connectionString, names, pollIntervalMs } = this.#options
    const client = await connect({ connectionString, applicationName: 'tidemark session' })
    keepSession(client, silence)
    const forget = cutOnAbort(client, signal)
    const lost = new AbortController()
    try {
      await liftTimeLimits(client, silentClientMs)
      client.on('notification', ({ payload = '' }) => this.#hear(payload))
      client.once('end', () => lost.abort())
      await client.query(`listen ${names.channel}`)
      await joinSessions(client, names)
      this.#client = client
      healthy()
      const ended = AbortSignal.any([signal, lost.signal])
      const shares = new PartitionShares(client, this.#options.names)
      while (!ended.aborted) {
        const look = await this.#look(client, shares)
        await this.#rest(Math.min(pollIntervalMs * look.sessions, longestPauseMs), ended)
      }
      if (!signal.aborted) throw new Error('the session connection was lost')
    } finally {
      this.#client = undefined
      this.head.forget()
      this.outboxHead.forget()
      this.#loseAll()
      forget()
      await disconnect(client)
    }
  }

  /** Anybody may notify on the channel, so that the payload is only a hint. */
  #hear(payload: string): void {
    if (/^\d{1,18}$/.test(payload)) this.head.advance(BigInt(payload))
    const [, published] = /^outbox (\d{1,18})$/.exec(payload) ?? []
    if (published !== undefined) this.outboxHead.advance(BigInt(published))
    if (payload === lookHint) this.#hurry()
  }

  async #look(client: pg.Client, shares: PartitionShares): Promise<LookAround> {
    const wanted = [...this.#claims].filter((claim) => !claim.owned && claim.group === null)
    const keys = wanted.map((claim) => claim.key)
    const look = await lookAround(client, this.#options.names, keys)
    this.head.advance(look.position)
    this.outboxHead.advance(look.outboxPosition)
    for (const [index, claim] of wanted.entries()) {
      claim.owned = look.got[index] === true
    }
    await giveBack(client, this.#claims, [...wanted, ...(await shares.take(this.#claims))])
    this.#lastLook = look
    this.#looks.wake()
    return look
  }

  #hurry(): void {
    this.#isHurried = true
    this.#endPause()
  }

  /** Jittered, so that sessions which began together do not look together. */
  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#isHurried) {
      const hurried = new AbortController()
      this.#endPause = () => hurried.abort()
      await pause(ms * (0.5 + Math.random()), AbortSignal.any([signal, hurried.signal]))
      this.#endPause = () => {}
    }
    this.#isHurried = false
  }

  /**
   * For good: whoever held a lease has to look where its subscription is now. What nobody was told of yet is
   * claimed by the next session, for those who still wait.
   */
  #loseAll(): void {
    for (const claim of [...this.#claims].filter(({ owned }) => owned)) {
      claim.owned = false
      if (!claim.isLeased) continue
      this.#claims.delete(claim)
      claim.lost.abort()
    }
  }
}

/** Whoever wanted them may have gone while the server was asked; nobody else would ever get them. */
async function giveBack(
  client: pg.Client,
  claims: ReadonlySet<PartitionClaim>,
  tried: readonly PartitionClaim[],
): Promise<void> {
  for (const claim of tried.filter((one) => one.owned && !claims.has(one))) {
    claim.owned = false
    await client.query('select pg_advisory_unlock($1)', [claim.key])
  }
}

/** Gives the advisory lock that whoever delivers a subscription, or a partition of it, holds. */
export function ownershipLockKey(
  names: LogNames,
  { kind, name, version }: SubscriptionId,
  partition = 0,
): string {
  const part = partition === 0 ? '' : `:${partition}`
  return advisoryLockKey(names.schema, `${kind}:${name}:${version}${part}`).toString()
}

/** Gives the advisory lock that everybody shares who delivers partitions of a subscription or wants to. */
function followersKey({ schema }: LogNames, { kind, name, version }: SubscriptionId): string {
  return advisoryLockKey(schema, `followers:${kind}:${name}:${version}`).toString()
}

/** A subscription or a partition owned by this process, for as long as its session lives. */
export interface Lease {
  /** Aborted when the session is lost, or when another process is to have the partition. */
  readonly lost: AbortSignal
  release(): Promise<void>
}
