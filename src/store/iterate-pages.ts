/** Part of what is read, and where to read on. */
export interface EventPage<E, C = string> {
  readonly events: readonly E[]
  /**
   * `cursor` of the next page, safe in a URL; null when there was nothing more. After a page that was
   * just full the next one may be empty.
   */
  readonly next: C | null
}

export interface IterateOptions {
  /**
   * Whether the next page is read while the events of one are being used. Not in a transaction of the
   * caller's: nothing may run there that the caller has not asked for.
   */
  readonly prefetch: boolean
}

/**
 * Gives the events of pages one by one, so that at most two pages are in memory. A reader that stops
 * early leaves no query behind.
 */
export async function* iteratePages<E, C>(
  readPage: (cursor: C | undefined) => Promise<EventPage<E, C>>,
  { prefetch }: IterateOptions,
): AsyncGenerator<E, void, undefined> {
  let ahead: Promise<unknown> | undefined
  try {
    let page = await readPage(undefined)
    for (;;) {
      const { events, next } = page
      const reading = prefetch && next !== null ? readPage(next) : undefined
      // Until the reader asks for the page, its failure is nobody's.
      ahead = reading?.catch(() => {})
      yield* events
      if (next === null) return
      page = await (reading ?? readPage(next))
    }
  } finally {
    await ahead
  }
}
