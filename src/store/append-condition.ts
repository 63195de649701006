import { optionInvalid } from '../core/option-invalid.ts'
import { TidemarkError } from '../core/tidemark-error.ts'
import { type EventQuery, encodeQuery } from './event-query.ts'
import type { QueryToken } from './read-query.ts'

/**
 * Holds when no event matches the query but those that the writer has seen: a dynamic consistency
 * boundary, https://dcb.events/specification. Within a transaction of the caller's that must be of
 * isolation read committed, because a higher one hides what was appended since it began.
 */
export interface AppendCondition {
  readonly query: EventQuery
  /** The token of the read that the decision is based on. Without, no event may match at all. */
  readonly after?: QueryToken | string | undefined
}

/**
 * Writes a condition as SQL takes it.
 *
 * @throws OPTION_INVALID
 */
export function encodeCondition({ query, after }: AppendCondition): [string, string | null] {
  if (
    after !== undefined &&
    !/^[1-9]\d{0,4}(\.\d{1,20})?\/\d{1,20}:\d{1,20}:(\d{1,20}(,\d{1,20})*)?$/.test(after)
  ) {
    throw optionInvalid('condition.after', 'it is not the token of a query')
  }
  return [encodeQuery(query), after ?? null]
}

/** Says that events match which the writer has not seen. */
export function conditionFailed(): TidemarkError {
  const reason = 'events that match its query have been appended since it was read'
  return new TidemarkError(
    'APPEND_CONDITION_FAILED',
    `the condition of the append does not hold: ${reason}: read again and decide anew`,
    { details: { reason } },
  )
}
