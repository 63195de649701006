import { optionInvalid } from '../core/option-invalid.ts'
import { checkText } from './check-read.ts'

/** Events of one of these types, if given, that have all of these tags. One of the two is needed. */
export interface EventQueryItem {
  readonly types?: readonly string[]
  readonly tags?: readonly string[]
}

/** What a decision depends on: events that match one of the items. */
export type EventQuery = EventQueryItem | readonly EventQueryItem[]

/**
 * Writes a query as SQL takes it.
 *
 * @throws OPTION_INVALID when it has no item, or an item has neither types nor tags.
 */
export function encodeQuery(query: EventQuery): string {
  const items = [query].flat() as readonly EventQueryItem[]
  if (items.length === 0) throw optionInvalid('query', 'it has no item')
  return JSON.stringify(items.map(encodeItem))
}

function encodeItem({ types, tags }: EventQueryItem): EventQueryItem {
  if (types === undefined && tags === undefined) {
    throw optionInvalid('query', 'an item has neither types nor tags')
  }
  for (const list of [types, tags]) {
    if (list?.length === 0) throw optionInvalid('query', 'an item has an empty list')
    for (const text of list ?? []) checkText('query', text)
  }
  return { ...(types && { types }), ...(tags && { tags }) }
}
