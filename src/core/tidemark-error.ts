import type { ErrorDetails } from './error-details.ts'

/** Names every error that tidemark raises. A code is `NOUN_STATE` and never changes its meaning. */
export type ErrorCode = keyof ErrorDetails

export interface TidemarkErrorOptions<C extends ErrorCode> {
  readonly details: ErrorDetails[C]
  readonly cause?: unknown
}

/**
 * Reports everything that tidemark refuses or cannot do. `code` decides what to do, `details` holds
 * the facts of that code, and the message names the thing, what was expected and found, and the
 * remedy. A message never contains a secret or an event's data.
 *
 * Match on `code`, never on the text.
 */
export class TidemarkError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'TidemarkError'
  readonly code: C
  readonly details: ErrorDetails[C]

  constructor(code: C, message: string, options: TidemarkErrorOptions<C>) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details
  }
}

/** Tells whether a value is a {@link TidemarkError}, and of the given code when one is given. */
export function isTidemarkError<C extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: C,
): error is TidemarkError<C> {
  return error instanceof TidemarkError && (code === undefined || error.code === code)
}
