import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import { connect } from '../db/connect.ts'
import { keepTrying } from '../db/keep-trying.ts'
import { advisoryLockKey, type LogNames } from '../db/log-names.ts'
import { pause } from '../db/wait.ts'
import { LogHead } from './log-head.ts'
import type { SubscriptionId } from './subscription-id.ts'

export interface LogSessionOptions {
  readonly connectionString: string
  readonly names: LogNames
  readonly logger: Logger
  /**
   * How often the head is looked up in case a notification was missed, and how often another
   * process's subscriptions are tried.
   */
  readonly pollIntervalMs: number
}

interface Claim {
  readonly key: string
  owned: boolean
  changed: () => void
}

/**
 * A process's one connection for waiting: it hears of new positions, and it holds the advisory locks
 * that spread subscriptions over processes. The locks only save work; the compare-and-set of the
 * checkpoint is what makes delivery exact. When the connection is lost so are the locks, and both
 * come back with the next one.
 */
export class LogSession {
  readonly head = new LogHead()
  readonly #options: LogSessionOptions
  readonly #claims = new Set<Claim>()
  #client: pg.Client | undefined
  #isHurried = false
  #endPause: () => void = () => {}

  constructor(options: LogSessionOptions) {
    this.#options = options
  }

  /** Keeps the connection until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { logger } = this.#options
    await keepTrying((healthy) => this.#hold(healthy, signal), { task: 'session', signal, logger })
  }

  /**
   * Waits until this process owns the subscription.
   *
   * @returns a lease to release, or undefined when it was aborted first.
   */
  async own(id: SubscriptionId, signal: AbortSignal): Promise<Lease | undefined> {
    const key = ownershipLockKey(this.#options.names, id)
    const claim: Claim = { key, owned: false, changed: () => {} }
    this.#claims.add(claim)
    this.#isHurried = true
    this.#endPause()
    const lease: Lease = { isOwned: () => claim.owned, release: () => this.#release(claim) }
    while (!claim.owned && !signal.aborted) await this.#changed(claim, signal)
    if (!signal.aborted) return lease
    await lease.release()
    return undefined
  }

  #changed(claim: Claim, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done)
        resolve()
      }
      claim.changed = done
      signal.addEventListener('abort', done)
    })
  }

  async #release(claim: Claim): Promise<void> {
    this.#claims.delete(claim)
    if (!claim.owned) return
    claim.owned = false
    await this.#client?.query('select pg_advisory_unlock($1)', [claim.key]).catch(() => {})
  }

  async #hold(healthy: () => void, signal: AbortSignal): Promise<void> {
    const { connectionString, names, pollIntervalMs } = this.#options
    const client = await connect({ connectionString, applicationName: 'tidemark session' })
    const lost = new AbortController()
    try {
      client.on('notification', ({ payload = '' }) => this.#hear(payload))
      client.once('end', () => lost.abort())
      await client.query(`listen ${names.channel}`)
      this.#client = client
      healthy()
      const ended = AbortSignal.any([signal, lost.signal])
      while (!ended.aborted) {
        await this.#tick(client)
        await this.#nextTick(pollIntervalMs, ended)
      }
      if (!signal.aborted) throw new Error('the session connection was lost')
    } finally {
      this.#client = undefined
      this.#loseAll()
      await client.end().catch(() => {})
    }
  }

  /** Anybody may notify on the channel, so that the payload is only a hint. */
  #hear(payload: string): void {
    if (/^\d{1,18}$/.test(payload)) this.head.advance(BigInt(payload))
  }

  async #tick(client: pg.Client): Promise<void> {
    const wanted = [...this.#claims].filter((claim) => !claim.owned)
    const { rows } = await client.query<{ position: string; got: boolean[] | null }>({
      name: 'tidemark-session-tick',
      text: /* sql */ `
        select
          position::text,
          array(select pg_try_advisory_lock(k) from unnest($1::bigint[]) as k) as got
        from ${this.#options.names.schema}.sequencer`,
      values: [wanted.map((claim) => claim.key)],
    })
    const row = rows[0]
    if (row === undefined) return
    this.head.advance(BigInt(row.position))
    for (const [index, claim] of wanted.entries()) {
      if (row.got?.[index] !== true) continue
      claim.owned = true
      claim.changed()
    }
  }

  async #nextTick(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#isHurried) {
      const hurried = new AbortController()
      this.#endPause = () => hurried.abort()
      await pause(ms, AbortSignal.any([signal, hurried.signal]))
      this.#endPause = () => {}
    }
    this.#isHurried = false
  }

  #loseAll(): void {
    for (const claim of this.#claims) claim.owned = false
  }
}

/** Gives the advisory lock that whoever delivers a subscription holds. */
export function ownershipLockKey(names: LogNames, { kind, name, version }: SubscriptionId): string {
  return advisoryLockKey(names.schema, `${kind}:${name}:${version}`).toString()
}

/** A subscription owned by this process, for as long as its session lives. */
export interface Lease {
  isOwned(): boolean
  release(): Promise<void>
}
