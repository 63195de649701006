import type { TidemarkError } from '../../core/tidemark-error.ts'
import type { ImportRow } from './encode-row.ts'
import { eventNotImportable } from './imported-event.ts'

/** Where each stream of a batch begins in it. */
export interface BatchStreams {
  /** All streams. */
  readonly ids: readonly string[]
  /** Those of which the first event has no version. */
  readonly unplaced: readonly string[]
}

/** Lists the streams of a batch. */
export function streamsOf(rows: readonly ImportRow[]): BatchStreams {
  const firsts = new Map<string, ImportRow>()
  for (const row of rows) if (!firsts.has(row.streamId)) firsts.set(row.streamId, row)
  const unplaced = [...firsts.values()].filter(({ version }) => version === undefined)
  return { ids: [...firsts.keys()], unplaced: unplaced.map(({ streamId }) => streamId) }
}

/**
 * Gives each row its version.
 *
 * @param current versions of the streams of which the first event has none.
 * @throws IMPORT_INVALID for the first event that does not follow the one before it in the batch.
 */
export function placeRows(
  rows: readonly ImportRow[],
  current: ReadonlyMap<string, bigint>,
): readonly bigint[] {
  const versions = new Map(current)
  return rows.map((row) => {
    const before = versions.get(row.streamId)
    const version = row.version ?? (before ?? 0n) + 1n
    if (before !== undefined && version !== before + 1n) throw misplaced(row, version, before)
    versions.set(row.streamId, version)
    return version
  })
}

/** Finds the first row whose version does not follow what is in the log. */
export function findMisplaced(
  rows: readonly ImportRow[],
  current: ReadonlyMap<string, bigint>,
): TidemarkError | undefined {
  const seen = new Set<string>()
  for (const row of rows) {
    if (seen.has(row.streamId)) continue
    seen.add(row.streamId)
    const before = current.get(row.streamId) ?? 0n
    if (row.version !== undefined && row.version !== before + 1n) {
      return misplaced(row, row.version, before)
    }
  }
  return undefined
}

function misplaced(row: ImportRow, version: bigint, before: bigint): TidemarkError {
  const place = `of stream "${row.streamId}", which is at version ${before}`
  const reason = `is version ${version} ${place}: ${before + 1n} is next`
  return eventNotImportable(row.number, row.streamId, reason)
}
