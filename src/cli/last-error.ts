import { type Logger, silentLogger } from '../core/logger.ts'

/**
 * Keeps the last error that the library logs. A rebuild reports what the database says of a version
 * that stands still, which is a text; the handler's own error, with its stack, is only logged.
 */
export class LastError {
  #logged: unknown

  /** Says nothing. */
  readonly logger: Logger = {
    ...silentLogger,
    error: (fields) => {
      this.#logged = (fields as { err?: unknown }).err
    },
  }

  /** Gives an error that has no cause what was logged as its cause. */
  explain(error: unknown): unknown {
    if (error instanceof Error && error.cause === undefined && this.#logged !== undefined) {
      error.cause = this.#logged
    }
    return error
  }
}
