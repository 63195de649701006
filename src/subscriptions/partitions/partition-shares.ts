import type pg from 'pg'
import { heldLocks } from '../../db/held-locks.ts'
import type { LogNames } from '../../db/log-names.ts'
import { hintToLook } from '../look-around.ts'

/** A subscription, or a partition of one, that a session owns or wants to own. */
export interface PartitionClaim {
  /** Its advisory lock. */
  readonly key: string
  /** The lock shared by all who want partitions of the same subscription; null for what has none. */
  readonly group: string | null
  /** Partitions that there are. */
  readonly count: number
  /** Aborted to have whoever delivers it end after the chunk at hand, and release it. */
  readonly lost: AbortController
  owned: boolean
}

/**
 * Takes a session's share of the partitions of each subscription: as many as there would be if all
 * sessions that want some had the same number. Who has more gives them up. Shares only spread the work.
 */
export class PartitionShares {
  readonly #client: pg.Client
  readonly #names: LogNames
  /** Groups that count this session. */
  readonly #joined = new Set<string>()

  constructor(client: pg.Client, names: LogNames) {
    this.#client = client
    this.#names = names
  }

  /**
   * Looks how many want partitions, takes free ones and gives up what is over.
   *
   * @returns the claims that it tried to take.
   */
  async take(claims: Iterable<PartitionClaim>): Promise<readonly PartitionClaim[]> {
    const groups = groupClaims(claims)
    await this.#join(groups)
    if (groups.size === 0) return []
    const holders = await this.#countHolders([...groups].flatMap(toKeys))
    const wanted = [...groups].flatMap(([group, members]) =>
      choose(members, holders.get(group) ?? 1, (key) => !holders.has(key)),
    )
    if (wanted.length > 0) await this.#lock(wanted)
    return wanted
  }

  async #join(groups: ReadonlyMap<string, unknown>): Promise<void> {
    for (const group of [...groups.keys()].filter((one) => !this.#joined.has(one))) {
      await this.#client.query('select pg_advisory_lock_shared($1)', [group])
      this.#joined.add(group)
      // Who has them all gives some up.
      await this.#client.query(hintToLook(this.#names))
    }
    for (const group of [...this.#joined].filter((one) => !groups.has(one))) {
      await this.#client.query('select pg_advisory_unlock_shared($1)', [group])
      this.#joined.delete(group)
    }
  }

  async #countHolders(keys: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.#client.query<{ key: string; holders: number }>(
      /* sql */ `
      select held.key::text, count(*)::integer as holders
      from (${heldLocks}) as held
      where held.key = any ($1::bigint[])
      group by held.key`,
      [keys],
    )
    return new Map(rows.map(({ key, holders }) => [key, holders]))
  }

  async #lock(wanted: readonly PartitionClaim[]): Promise<void> {
    const { rows } = await this.#client.query<{ got: readonly boolean[] }>(
      'select array(select pg_try_advisory_lock(k) from unnest($1::bigint[]) as k) as got',
      [wanted.map(({ key }) => key)],
    )
    for (const [i, claim] of wanted.entries()) claim.owned = rows[0]?.got[i] === true
  }
}

function groupClaims(claims: Iterable<PartitionClaim>): ReadonlyMap<string, PartitionClaim[]> {
  const groups = new Map<string, PartitionClaim[]>()
  for (const claim of claims) {
    if (claim.group === null) continue
    groups.set(claim.group, [...(groups.get(claim.group) ?? []), claim])
  }
  return groups
}

function toKeys([group, members]: readonly [string, readonly PartitionClaim[]]): string[] {
  return [group, ...members.map(({ key }) => key)]
}

/**
 * Gives up what is over the share.
 *
 * @returns those to take, in any order, so that two sessions seldom try the same.
 */
function choose(
  members: readonly PartitionClaim[],
  followers: number,
  isFree: (key: string) => boolean,
): readonly PartitionClaim[] {
  const share = Math.ceil((members[0]?.count ?? 0) / Math.max(1, followers))
  const owned = members.filter((claim) => claim.owned && !claim.lost.signal.aborted)
  for (const claim of owned.slice(share)) claim.lost.abort()
  const free = members.filter((claim) => !claim.owned && isFree(claim.key))
  return free
    .map((claim) => ({ claim, rank: Math.random() }))
    .sort((a, b) => a.rank - b.rank)
    .slice(0, Math.max(0, share - owned.length))
    .map(({ claim }) => claim)
}
