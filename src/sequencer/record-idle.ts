import type pg from 'pg'
import { pause } from '../db/wait.ts'
import { formatLsn, parseLsn } from './lsn.ts'
import type { TrustedSlot } from './trusted-slot.ts'
import type { WalStream } from './wal-stream.ts'

/** How often to look whether others have written so much that it is worth a record. */
const intervalMs = 1_000

/**
 * WAL that others have written, in bytes, at which it is. Far less than the segments in which the server
 * removes it, and several times what a record writes itself: one would otherwise follow from another,
 * for ever.
 */
const worthBytes = 2n ** 14n

/**
 * Lets the server remove WAL while other tables are written and the log is idle: records how far the
 * stream has come, and then has that confirmed.
 */
export async function recordIdle(
  client: pg.ClientBase,
  schema: string,
  slot: TrustedSlot,
  stream: WalStream,
  signal: AbortSignal,
): Promise<void> {
  const { generation } = slot.state
  while (await pause(intervalMs, signal)) {
    if (stream.lsn - stream.confirmedLsn < worthBytes) continue
    const { rows } = await client.query<{ lsn: string | null }>({
      name: 'tidemark-record-idle',
      text: `select ${schema}.record_idle($1, $2)::text as lsn`,
      values: [generation.toString(), formatLsn(stream.lsn)],
    })
    const recorded = rows[0]?.lsn
    if (recorded != null) stream.recorded(parseLsn(recorded))
  }
}
