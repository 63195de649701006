import type { Expectation } from '../../../src/store/check-append.ts'
import type { EventQueryItem } from '../../../src/store/event-query.ts'
import { holds } from '../stream-model.ts'

/** An event to append. */
export interface ModelEvent {
  readonly id: string | undefined
  readonly type: string
  readonly n: number
  readonly tags: readonly string[]
}

/** One call of whatever kind: events for one stream or several, all or none. */
export interface ModelCall {
  readonly appends: readonly {
    readonly streamId: string
    readonly expect: Expectation
    readonly events: readonly ModelEvent[]
  }[]
  readonly key: string | undefined
  readonly condition: ModelCondition | undefined
}

export interface ModelCondition {
  readonly query: readonly EventQueryItem[]
  /** Names of the events that its reader has seen; null when nothing may match at all. */
  readonly seen: ReadonlySet<string> | null
}

/** What a call comes to. */
export type Outcome =
  | { readonly versions: readonly bigint[]; readonly token: string; readonly replayed: boolean }
  | {
      readonly code: 'STREAM_VERSION_CONFLICT'
      readonly streamId: string
      readonly actualVersion: bigint
    }
  | { readonly code: 'APPEND_KEY_REUSED' | 'APPEND_CONDITION_FAILED' }

/** One try at a call. A call that is retried is tried several times. */
export interface Attempt {
  readonly name: string
  readonly call: ModelCall
  /** Names the transaction that it is tried in, if that appends anything. */
  readonly token: string
}

/** An event of the model's log, with the try that appended it. */
export interface KeptEvent extends ModelEvent {
  readonly attempt: string
  readonly token: string
}

interface KeptKey {
  readonly same: string
  readonly versions: readonly bigint[]
  readonly token: string
}

/** Names an event so that the same event of two tries has two names. */
export function eventName(attempt: string, streamId: string, version: bigint): string {
  return `${attempt} ${streamId}/${version}`
}

/** The whole store as it would be if one call came after the other, on one thread, in memory. */
export class StoreModel {
  readonly #streams: Map<string, readonly KeptEvent[]>
  readonly #keys: Map<string, KeptKey>

  constructor(
    streams: Iterable<readonly [string, readonly KeptEvent[]]> = [],
    keys: Iterable<readonly [string, KeptKey]> = [],
  ) {
    this.#streams = new Map(streams)
    this.#keys = new Map(keys)
  }

  /** A model that can be thrown away, as a transaction is that rolls back. */
  copy(): StoreModel {
    return new StoreModel(this.#streams, this.#keys)
  }

  get streams(): ReadonlyMap<string, readonly KeptEvent[]> {
    return this.#streams
  }

  get keys(): readonly string[] {
    return [...this.#keys.keys()]
  }

  append({ name, call, token }: Attempt): Outcome {
    const { appends, key, condition } = call
    const known = key === undefined ? undefined : this.#keys.get(key)
    if (known !== undefined) {
      if (known.same !== sameness(call)) return { code: 'APPEND_KEY_REUSED' }
      return { versions: known.versions, token: known.token, replayed: true }
    }
    if (condition !== undefined && this.#hasUnseen(condition, token)) {
      return { code: 'APPEND_CONDITION_FAILED' }
    }
    for (const { streamId, expect } of appends) {
      const actualVersion = this.#versionOf(streamId)
      if (holds(expect, actualVersion)) continue
      const first = this.#findByIds(call)
      return first ?? { code: 'STREAM_VERSION_CONFLICT', streamId, actualVersion }
    }
    const versions = appends.map(({ streamId, events }) => {
      const kept = events.map((event) => ({ ...event, attempt: name, token }))
      this.#streams.set(streamId, [...this.#eventsOf(streamId), ...kept])
      return this.#versionOf(streamId)
    })
    if (key !== undefined) this.#keys.set(key, { same: sameness(call), versions, token })
    return { versions, token, replayed: false }
  }

  #eventsOf(streamId: string): readonly KeptEvent[] {
    return this.#streams.get(streamId) ?? []
  }

  #versionOf(streamId: string): bigint {
    return BigInt(this.#eventsOf(streamId).length)
  }

  /** Whether an event matches that the reader has not seen. What the transaction wrote it knows. */
  #hasUnseen({ query, seen }: ModelCondition, token: string): boolean {
    for (const [streamId, events] of this.#streams) {
      for (const [index, event] of events.entries()) {
        if (!query.some((item) => matches(event, item))) continue
        if (seen === null) return true
        if (event.token === token) continue
        if (!seen.has(eventName(event.attempt, streamId, BigInt(index + 1)))) return true
      }
    }
    return false
  }

  /** The result of an earlier try, if exactly these events follow the versions that are expected. */
  #findByIds({ appends }: ModelCall): Outcome | undefined {
    const found = appends.map(({ streamId, expect, events }) => {
      const start = seenVersion(expect)
      if (start === undefined) return undefined
      const kept = this.#eventsOf(streamId).slice(start, start + events.length)
      const isSame =
        kept.length === events.length &&
        events.every(({ id }, index) => id !== undefined && id === kept[index]?.id)
      return isSame ? kept : undefined
    })
    const tokens = new Set(found.flatMap((kept) => kept?.map(({ token }) => token)))
    const [token] = tokens
    if (token === undefined || tokens.size > 1) return undefined
    const versions = appends.map(({ expect, events }) =>
      BigInt((seenVersion(expect) ?? 0) + events.length),
    )
    return { versions, token, replayed: true }
  }
}

/** Says what a query item means. */
export function matches(
  { type, tags }: Pick<ModelEvent, 'type' | 'tags'>,
  item: EventQueryItem,
): boolean {
  if (item.types !== undefined && !item.types.includes(type)) return false
  return (item.tags ?? []).every((tag) => tags.includes(tag))
}

/** What two calls with one key have in common when they are the same: neither ids nor expectations. */
function sameness({ appends }: ModelCall): string {
  return JSON.stringify(
    appends.map(({ streamId, events }) => [
      streamId,
      events.map(({ type, n, tags }) => [type, n, tags]),
    ]),
  )
}

function seenVersion(expect: Expectation): number | undefined {
  if (expect === 'absent') return 0
  return typeof expect === 'bigint' ? Number(expect) : undefined
}
