import { TidemarkError } from '../core/tidemark-error.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'

/** A moment in the life of a stream. At most one of the three; none is now. */
export type Moment =
  | { readonly version?: bigint; readonly position?: never; readonly at?: never }
  | {
      /**
       * After the log's events up to this position; those that are not sequenced yet come after
       * every position. The answer for a position that the log has reached never changes, and is
       * consistent between streams.
       */
      readonly position?: bigint
      readonly version?: never
      readonly at?: never
    }
  | {
      /**
       * After the events that were recorded up to this time, by the server's clock. An event is
       * recorded when it is inserted, and seen when its transaction commits: the answer for a time
       * may still grow while transactions that began before it are open. Where that matters, or
       * several streams have to fit together, use a position.
       */
      readonly at?: Date
      readonly version?: never
      readonly position?: never
    }

/** The largest `bigint` of the server. */
const endless = 9_223_372_036_854_775_807n

/**
 * Finds up to which version of a stream a moment reaches. A bound: the stream may be shorter.
 *
 * @throws OPTION_INVALID when two moments are given, or one that cannot be.
 */
export async function versionAt(
  connection: Connection,
  names: LogNames,
  streamId: string,
  moment: Moment,
): Promise<bigint> {
  const { version, position, at } = moment as { version?: bigint; position?: bigint; at?: Date }
  const given = [version, position, at].filter((one) => one !== undefined)
  if (given.length > 1) throw invalid('version', 'give one of version, position and at')
  if (version !== undefined) return checkCount('version', version)
  if (position !== undefined) {
    const value = checkCount('position', position).toString()
    return ask(connection, names, 'stream_version_at_position', [streamId, value])
  }
  if (at !== undefined) {
    if (Number.isNaN(at.getTime())) throw invalid('at', 'the date is not valid')
    return ask(connection, names, 'stream_version_at_time', [streamId, at.toISOString()])
  }
  return endless
}

async function ask(
  connection: Connection,
  names: LogNames,
  name: 'stream_version_at_position' | 'stream_version_at_time',
  values: readonly string[],
): Promise<bigint> {
  const rows = await run<{ version: string }>(connection, {
    name: `tidemark-${name}-${names.schema}`,
    text: /* sql */ `select ${names.schema}.${name}($1, $2)::text as version`,
    values,
  })
  return BigInt(rows[0]?.version ?? 0)
}

function checkCount(option: string, value: bigint): bigint {
  if (value >= 0n && value <= endless) return value
  throw invalid(option, `${value} is not from 0 to ${endless}`)
}

function invalid(option: string, reason: string): TidemarkError {
  return new TidemarkError('OPTION_INVALID', `option "${option}": ${reason}`, {
    details: { option, reason },
  })
}
