import type pg from 'pg'
import { formatLsn, parseLsn } from '../../src/sequencer/lsn.ts'

/** Head of a record in the WAL. */
export interface WalRecord {
  /** Where it begins. */
  readonly start: string
  /** Where the record before it begins. */
  readonly previous: string
  readonly isCommit: boolean
  /** Low 32 bits of the transaction's id. */
  readonly xid: string
}

// `XLogRecord` (access/xlogrecord.h) and `XLogPageHeaderData` (access/xlog_internal.h) are the same
// in versions 14 to 18: length, xid, previous, info, resource manager, padding, checksum.
const recordHeaderBytes = 24
const pageBytes = 8_192n
const pageHeaderBytes = 24n
const segmentHeaderBytes = 40n
const transactionManager = 1
const operationBits = 0x70
const commitOperation = 0x00

/**
 * Reads the head of the record that follows an LSN, from the server's file: the extension
 * pg_walinspect, which tells as much, comes with version 15.
 *
 * @param end Where another record ends. That which follows has to be on disk.
 */
export async function readRecordAfter(pool: pg.Pool, end: string): Promise<WalRecord> {
  const { rows } = await pool.query<{ segment: string; timeline: number }>(/* sql */ `
    select setting as segment, timeline_id as timeline
    from pg_settings, pg_control_checkpoint()
    where name = 'wal_segment_size'`)
  const { segment = '', timeline = 0 } = rows[0] ?? {}
  const segmentBytes = BigInt(segment)
  const lsn = skipPageHeader(parseLsn(end), segmentBytes)

  const { rows: files } = await pool.query<{ bytes: Buffer }>(
    'select pg_read_binary_file($1, $2, $3) as bytes',
    [
      `pg_wal/${segmentName(timeline, lsn, segmentBytes)}`,
      (lsn % segmentBytes).toString(),
      recordHeaderBytes + Number(pageHeaderBytes),
    ],
  )
  const head = withoutPageHeader(files[0]?.bytes ?? Buffer.alloc(0), lsn)
  return {
    start: formatLsn(lsn),
    previous: formatLsn(head.readBigUInt64LE(8)),
    isCommit:
      head[17] === transactionManager && ((head[16] ?? 0) & operationBits) === commitOperation,
    xid: String(head.readUInt32LE(4)),
  }
}

function skipPageHeader(lsn: bigint, segmentBytes: bigint): bigint {
  if (lsn % segmentBytes === 0n) return lsn + segmentHeaderBytes
  return lsn % pageBytes === 0n ? lsn + pageHeaderBytes : lsn
}

/** A head that a page ends in goes on behind the header of the next one. */
function withoutPageHeader(bytes: Buffer, lsn: bigint): Buffer {
  const left = Number(pageBytes - (lsn % pageBytes))
  if (left >= recordHeaderBytes) return bytes
  return Buffer.concat([bytes.subarray(0, left), bytes.subarray(left + Number(pageHeaderBytes))])
}

function segmentName(timeline: number, lsn: bigint, segmentBytes: bigint): string {
  const perFile = 0x1_0000_0000n / segmentBytes
  const segment = lsn / segmentBytes
  return [BigInt(timeline), segment / perFile, segment % perFile]
    .map((part) => part.toString(16).toUpperCase().padStart(8, '0'))
    .join('')
}
