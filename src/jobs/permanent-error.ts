/**
 * Says that trying again is of no use: a job whose handler throws it is a dead letter at once.
 *
 * @example
 * if (response.status === 404) throw new PermanentError('there is no such account')
 */
export class PermanentError extends Error {
  override readonly name = 'PermanentError'
}
