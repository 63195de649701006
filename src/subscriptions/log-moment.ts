import { optionInvalid } from '../core/option-invalid.ts'
import type { LogNames } from '../db/log-names.ts'
import { type Connection, run } from '../db/queryable.ts'

/** A moment of the log: a position, 0 being before the first event, or a time by the server's clock. */
export type LogMoment = bigint | Date

/**
 * Finds the position that stands for a moment. A time means the last commit until then, to the
 * millisecond.
 *
 * @throws OPTION_INVALID for a position that the log has not reached, a time that is still to come by more
 *   than a minute (clocks differ), and for what is no moment.
 */
export async function positionAt(
  connection: Connection,
  names: LogNames,
  at: LogMoment,
): Promise<bigint> {
  if (at instanceof Date) return positionAtTime(connection, names, at)
  if (typeof at !== 'bigint') throw optionInvalid('at', `${at}: it is a bigint or a Date`)
  const rows = await run<{ position: string }>(connection, {
    text: `select position::text from ${names.schema}.sequencer`,
  })
  const head = BigInt(rows[0]?.position ?? 0)
  if (at >= 0n && at <= head) return at
  throw optionInvalid('at', `the log has the positions 0 to ${head}, not ${at}`)
}

async function positionAtTime(connection: Connection, names: LogNames, at: Date): Promise<bigint> {
  if (Number.isNaN(at.getTime())) throw optionInvalid('at', 'the date is invalid')
  const rows = await run<{ position: string; is_to_come: boolean }>(connection, {
    text: /* sql */ `
      select ${names.schema}.position_at_time($1)::text as position,
        $1::timestamptz > clock_timestamp() + interval '1 minute' as is_to_come`,
    values: [at.toISOString()],
  })
  if (rows[0]?.is_to_come) throw optionInvalid('at', `${at.toISOString()} is still to come`)
  return BigInt(rows[0]?.position ?? 0)
}
