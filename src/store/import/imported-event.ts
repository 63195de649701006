import type { NewEvent } from '../../core/event.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'

/** An event of another system, as it is to be in the log. */
export interface ImportedEvent {
  readonly streamId: string
  /** Made by an event definition, which checks it, or written by hand. */
  readonly event: NewEvent
  /** Its version in its stream: it has to follow the one before. Default: the next. */
  readonly version?: bigint
  /** When it was recorded there. Default: the server's clock. */
  readonly recordedAt?: Date
}

/** Says that an event of a source cannot be imported. Nothing of its batch was written. */
export function eventNotImportable(
  event: bigint,
  streamId: string | null,
  reason: string,
  cause?: unknown,
): TidemarkError {
  return new TidemarkError('IMPORT_INVALID', `event ${event} of the import ${reason}`, {
    details: { event, streamId, reason },
    cause,
  })
}

/** Says that a whole import cannot go on. */
export function importInvalid(reason: string): TidemarkError {
  return new TidemarkError('IMPORT_INVALID', `invalid import: ${reason}`, {
    details: { event: null, streamId: null, reason },
  })
}
