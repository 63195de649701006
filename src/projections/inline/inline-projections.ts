import pRetry from 'p-retry'
import type pg from 'pg'
import { failpoint } from '../../core/failpoint.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'
import { settleAll } from '../../db/settle-all.ts'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'
import { transaction } from '../../db/transaction.ts'
import { appendError } from '../../store/append-error.ts'
import type { AppendPlan, InlineWriter } from '../../store/inline-writer.ts'
import type { AnyProjection } from '../projection.ts'
import {
  type InlineDebts,
  lockInlineKeys,
  readInlineDebts,
  settleInlineDebts,
} from './inline-debts.ts'
import { type InlineShare, InlineVersion } from './inline-version.ts'
import { joinedClient } from './joined-client.ts'
import { takeTurn } from './take-turn.ts'

/** Attempts at a transaction of its own that the server ends to resolve a deadlock. */
const maxAttempts = 5

/**
 * Applies inline projections to what a store appends, in the append's own transaction. Of the definitions
 * given, those are applied that the database says are inline: so that a store can know a projection before it
 * becomes inline, and two versions of one while another takes its place.
 *
 * The database notes what is appended and not yet applied, and refuses to commit it: see guard_events.
 */
export class InlineProjections implements InlineWriter {
  readonly #pool: pg.Pool
  readonly #names: LogNames
  readonly #versions = new Map<string, InlineVersion>()
  readonly #types = new Set<string>()

  /** @throws DEFINITION_INVALID when a version is given twice, or has no level. */
  constructor(pool: pg.Pool, names: LogNames, projections: readonly AnyProjection[]) {
    this.#pool = pool
    this.#names = names
    for (const projection of projections) {
      const id = idOf(projection)
      if (this.#versions.has(id)) throw givenTwice(projection)
      this.#versions.set(id, new InlineVersion(projection, names))
      for (const type of projection.registry.types) this.#types.add(type)
    }
  }

  covers(types: Iterable<string>): boolean {
    for (const type of types) if (this.#types.has(type)) return true
    return false
  }

  append<T>(
    tx: Connection | undefined,
    plan: AppendPlan,
    body: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    const locks = this.#plan(plan)
    if (tx === undefined) return this.#appendAlone(locks, body)
    return takeTurn(tx, () => this.#join(tx, locks, body))
  }

  /** In a transaction of its own. What can be sent together is. */
  async #appendAlone<T>(
    planned: InlineLocks,
    body: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    let locks = planned
    let unsettled: unknown
    const attempt = () => {
      unsettled = undefined
      return transaction(
        this.#pool,
        async (client) => {
          const [drawnBefore, result, owed] = await settleAll([
            this.#lock(client, locks),
            body(client),
            readInlineDebts(client, this.#names),
          ])
          const shares = this.#shares(owed, locks)
          if (shares.length === 0) return result
          failpoint('inline-owed')
          await this.#apply(client, shares)
          failpoint('inline-applied')
          // With the commit, which fails when it does.
          this.#settle(client, shares, drawnBefore).catch((error) => {
            unsettled = error
          })
          return result
        },
        { isolation: 'read committed' },
      ).catch((error: unknown) => {
        throw unsettled ?? error
      })
    }
    return pRetry(() => asRetryable(attempt()), {
      retries: maxAttempts - 1,
      minTimeout: 10,
      randomize: true,
      shouldRetry: ({ error }) =>
        error instanceof LockedTooLittle || sqlstateOf(error) === sqlstate.deadlockDetected,
      onFailedAttempt: ({ error }) => {
        if (error instanceof LockedTooLittle) locks = this.#lockWhole()
      },
    }).catch((error: unknown) => {
      throw appendError(original(error), this.#names.schema)
    })
  }

  /** In the caller's transaction, which is as before when it fails. */
  async #join<T>(
    tx: Connection,
    locks: InlineLocks,
    body: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    await this.#begin(tx)
    try {
      const drawnBefore = await this.#lock(tx, locks)
      const result = await body(tx)
      const shares = this.#shares(await readInlineDebts(tx, this.#names), locks)
      if (shares.length > 0) await this.#applyJoined(tx, shares, drawnBefore)
      await run(tx, { text: 'release savepoint tidemark_inline' })
      return result
    } catch (error) {
      // When that fails so does whatever comes after it.
      await run(tx, { text: 'rollback to savepoint tidemark_inline' })
        .then(() => run(tx, { text: 'release savepoint tidemark_inline' }))
        .catch(() => {})
      if (error instanceof LockedTooLittle) return this.#join(tx, this.#lockWhole(), body)
      throw appendError(error, this.#names.schema)
    }
  }

  async #begin(tx: Connection): Promise<void> {
    try {
      await run(tx, { text: 'savepoint tidemark_inline' })
    } catch (error) {
      if (sqlstateOf(error) !== sqlstate.noActiveSqlTransaction) throw error
      const reason =
        'no transaction is open on it, so that events and an inline projection could not be one'
      throw new TidemarkError(
        'OPTION_INVALID',
        `option "tx": ${reason}: begin one, or leave it out`,
        {
          details: { option: 'tx', reason },
        },
      )
    }
  }

  /** The debts last: should the caller commit meanwhile, the server refuses. */
  async #applyJoined(
    tx: Connection,
    shares: readonly InlineShare[],
    drawnBefore: string | null,
  ): Promise<void> {
    failpoint('inline-owed')
    const [before] = await run<{ path: string }>(tx, {
      text: "select current_setting('search_path') as path",
    })
    await this.#apply(joinedClient(tx), shares)
    await run(tx, {
      text: "select set_config('search_path', $1, true)",
      values: [before?.path ?? ''],
    })
    failpoint('inline-applied')
    await this.#settle(tx, shares, drawnBefore)
  }

  /** @throws LockedTooLittle */
  #shares(owed: InlineDebts, locks: InlineLocks): readonly InlineShare[] {
    const ids = new Set(owed.debts.map(idOf))
    const shares = [...ids].map((id) => {
      const version = this.#versions.get(id)
      if (version === undefined) throw unknownVersion(id, this.#versions.keys())
      return version.share(owed)
    })
    if (!shares.every((share) => covers(locks, share))) throw new LockedTooLittle()
    return shares
  }

  /**
   * What is to be locked before an append, so that those that concern one row also draw their insert ids in
   * the order of their turns: the ledger follows these where it is not written from the WAL.
   */
  #plan(plan: AppendPlan): InlineLocks {
    if (plan === null) return this.#lockWhole()
    const versions = [...this.#versions.values()]
    const events = plan()
    const keys = versions.map((version) => version.planKeys(events))
    return {
      versions: versions.filter((_, i) => keys[i]?.length !== 0).map(({ schema }) => schema),
      keys: new Set(keys.flat()),
    }
  }

  #lockWhole(): InlineLocks {
    return { versions: [...this.#versions.values()].map(({ schema }) => schema), keys: null }
  }

  /** Of all projections together, so that two appends cannot wait for each other. */
  async #lock(connection: Connection, { versions, keys }: InlineLocks): Promise<string | null> {
    if (versions.length === 0) return null
    return lockInlineKeys(connection, this.#names, versions, keys === null ? null : [...keys])
  }

  #settle(
    connection: Connection,
    shares: readonly InlineShare[],
    drawnBefore: string | null,
  ): Promise<void> {
    const debts = shares.flatMap((share) => share.debts)
    return settleInlineDebts(connection, this.#names, debts, drawnBefore)
  }

  /** One after the other: the last that was entered is the schema of names without one. */
  async #apply(client: pg.ClientBase, shares: readonly InlineShare[]): Promise<void> {
    for (const share of shares) await share.version.apply(client, share)
  }
}

/** Who waits for whom: versions, and what is written of them; null for all of it. */
interface InlineLocks {
  readonly versions: readonly string[]
  readonly keys: ReadonlySet<string> | null
}

/** An event turned out to concern other rows than could be told before it was appended. */
class LockedTooLittle extends Error {}

function covers({ versions, keys }: InlineLocks, share: InlineShare): boolean {
  if (keys !== null) return share.keys.every((key) => keys.has(key))
  return versions.includes(share.version.schema)
}

function idOf({ name, version }: { readonly name: string; readonly version: number }): string {
  return `"${name}" version ${version}`
}

/** p-retry gives up on a TypeError at once, and takes nothing but errors. */
async function asRetryable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw error instanceof Error && !(error instanceof TypeError)
      ? error
      : new Wrapped('an append failed', { cause: error })
  }
}

class Wrapped extends Error {}

function original(error: unknown): unknown {
  return error instanceof Wrapped ? error.cause : error
}

function givenTwice({ name, version }: AnyProjection): TidemarkError {
  const reason = `version ${version} is given twice as inline`
  return new TidemarkError('DEFINITION_INVALID', `projection "${name}": ${reason}`, {
    details: { name, reason },
  })
}

function unknownVersion(id: string, known: Iterable<string>): TidemarkError {
  const [, projection = '', version = '0'] = /^"(.*)" version (\d+)$/.exec(id) ?? []
  const list = [...known].join(', ')
  const reason = `this store knows ${list === '' ? 'none' : list} as inline`
  return new TidemarkError(
    'PROJECTION_NOT_APPLIED',
    `projection ${id} is inline, and ${reason}: give that version to it, or make the projection asynchronous`,
    { details: { projection, version: Number(version), reason } },
  )
}
