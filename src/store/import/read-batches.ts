import { setImmediate as turn } from 'node:timers/promises'
import { isTidemarkError } from '../../core/tidemark-error.ts'
import type { EncodeOptions } from '../encode-events.ts'
import { encodeRow, fingerprint, type ImportRow } from './encode-row.ts'
import { eventNotImportable, type ImportedEvent, importInvalid } from './imported-event.ts'

/** Events that are imported in one transaction. */
export interface ImportBatch {
  readonly rows: readonly ImportRow[]
  /** Fingerprint of the last of them. */
  readonly lastFingerprint: Buffer
}

export interface ImportSource {
  readonly events: AsyncIterable<ImportedEvent> | Iterable<ImportedEvent>
  /** How many of its events are in the log already, and the fingerprint of the last of those. */
  readonly imported: bigint
  readonly lastFingerprint: Buffer | null
}

export interface BatchOptions extends EncodeOptions {
  /** Events in one batch at most. */
  readonly batchSize: number
}

/** Bounds memory whatever the size of the events: characters of encoded rows in one batch, roughly. */
const maxBatchLength = 8_000_000

/**
 * Events after which other work of the process gets its turn: the batch before is being sent, and the
 * server waited when this was 500.
 */
const turnEvery = 100

/**
 * Reads a source in batches, from the first event that is not in the log.
 *
 * @throws IMPORT_INVALID with the number of an event that cannot be imported, or when the source is
 *   not the one that was imported before.
 */
export async function* readBatches(
  source: ImportSource,
  options: BatchOptions,
): AsyncGenerator<ImportBatch, void, void> {
  const place = { number: 0n }
  try {
    yield* cut(source, options, place)
  } catch (error) {
    if (!isTidemarkError(error) || error.code === 'IMPORT_INVALID') throw error
    // What the source throws when it makes an event.
    const reason = `cannot be made: ${error.message}`
    throw eventNotImportable(place.number + 1n, null, reason, error)
  }
}

/** @param place counts the events that were read. */
async function* cut(
  source: ImportSource,
  options: BatchOptions,
  place: { number: bigint },
): AsyncGenerator<ImportBatch, void, void> {
  let rows: ImportRow[] = []
  let length = 0
  let last: ImportedEvent | undefined
  for await (const given of source.events) {
    const number = place.number + 1n
    place.number = number
    if (number % BigInt(turnEvery) === 0n) await turn()
    if (number <= source.imported) {
      if (number === source.imported) requireSame(source, given)
      continue
    }
    const row = encodeRow(number, given, options)
    rows.push(row)
    length += row.fields.length
    last = given
    if (rows.length < options.batchSize && length < maxBatchLength) continue
    yield { rows, lastFingerprint: fingerprint(given) }
    rows = []
    length = 0
  }
  if (place.number < source.imported) throw tooShort(place.number, source.imported)
  if (last !== undefined && rows.length > 0) yield { rows, lastFingerprint: fingerprint(last) }
}

function requireSame({ imported, lastFingerprint }: ImportSource, given: ImportedEvent): void {
  if (lastFingerprint?.equals(fingerprint(given)) === true) return
  throw importInvalid(
    `event ${imported} of the source is not the one that was imported before under this key: ` +
      'go on with the same source, or use another key for another import',
  )
}

function tooShort(length: bigint, imported: bigint) {
  return importInvalid(
    `the source has ${length} events, but ${imported} were imported under this key: ` +
      'go on with the same source, or use another key for another import',
  )
}
