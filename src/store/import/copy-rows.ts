import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { LogNames } from '../../db/log-names.ts'
import { type ImportRow, rowColumns } from './encode-row.ts'

/** Characters that are sent at once. */
const chunkLength = 65_536

/** Inserts rows by COPY. Not on a pipelined connection. */
export async function copyRows(
  client: pg.ClientBase,
  names: LogNames,
  rows: readonly ImportRow[],
  versions: readonly bigint[],
  now: string,
): Promise<void> {
  const copy = copyFrom(`copy ${names.schema}.events (${rowColumns}) from stdin`)
  await pipeline(writeRows(rows, versions, now), client.query(copy))
}

function* writeRows(rows: readonly ImportRow[], versions: readonly bigint[], now: string) {
  let text = ''
  for (const [index, { fields, recordedAt = now }] of rows.entries()) {
    text += `${versions[index]}\t${fields}\t${recordedAt}\n`
    if (text.length < chunkLength) continue
    yield Buffer.from(text)
    text = ''
  }
  yield Buffer.from(text)
}
