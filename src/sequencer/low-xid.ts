import type pg from 'pg'
import { pause } from '../db/wait.ts'
import type { LedgerWriter } from './ledger-writer.ts'
import { parseLsn } from './lsn.ts'
import type { WalStream } from './wal-stream.ts'

/** How often the bound is looked up. It only makes a recovery from the table read less. */
const intervalMs = 10_000

/**
 * Keeps a bound below which every transaction is finished and sequenced, so that a recovery from
 * the table need not read all of it. Every transaction below the xmin of a snapshot has ended before
 * the WAL position read after it, so once the stream is past that position the bound holds.
 */
export async function trackLowXid(
  client: pg.ClientBase,
  stream: WalStream,
  writer: LedgerWriter,
  signal: AbortSignal,
): Promise<void> {
  while (await pause(intervalMs, signal)) {
    const { rows } = await client.query<{ xmin: string; lsn: string }>({
      name: 'tidemark-low-xid',
      text: /* sql */ `
        select xmin::text, pg_current_wal_insert_lsn()::text as lsn
        from (select pg_snapshot_xmin(pg_current_snapshot()) as xmin offset 0) as s`,
    })
    const bound = rows[0]
    if (bound === undefined) continue
    while (stream.lsn < parseLsn(bound.lsn)) {
      if (!(await pause(intervalMs / 10, signal))) return
    }
    writer.setLowXid(bound.xmin)
  }
}
