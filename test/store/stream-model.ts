import type { Expectation, StreamAppend } from '../../src/store/check-append.ts'

/** What an append does according to the model: the new versions, or the error. */
export type Outcome =
  | { readonly versions: readonly (readonly [streamId: string, version: bigint])[] }
  | { readonly code: 'APPEND_INVALID' }
  | {
      readonly code: 'STREAM_VERSION_CONFLICT'
      readonly streamId: string
      readonly actualVersion: bigint
    }

/** The log as a program of twenty lines would keep it: the numbers of each stream's events. */
export class StreamModel {
  readonly #streams: Map<string, readonly unknown[]>

  constructor(streams: Iterable<readonly [string, readonly unknown[]]> = []) {
    this.#streams = new Map(streams)
  }

  /** A model that can be thrown away, as a transaction is that rolls back. */
  copy(): StreamModel {
    return new StreamModel(this.#streams)
  }

  versionOf(streamId: string): bigint {
    return BigInt(this.#streams.get(streamId)?.length ?? 0)
  }

  /** The data of every event, by stream. */
  toObject(): Record<string, readonly unknown[]> {
    return Object.fromEntries([...this.#streams].filter(([, data]) => data.length > 0))
  }

  append(appends: readonly StreamAppend[]): Outcome {
    const ids = appends.map(({ streamId }) => streamId)
    if (appends.length === 0 || new Set(ids).size < ids.length) return { code: 'APPEND_INVALID' }
    if (appends.some(({ events }) => events.length === 0)) return { code: 'APPEND_INVALID' }
    for (const { streamId, expect } of appends) {
      const actualVersion = this.versionOf(streamId)
      if (!holds(expect, actualVersion)) {
        return { code: 'STREAM_VERSION_CONFLICT', streamId, actualVersion }
      }
    }
    return {
      versions: appends.map(({ streamId, events }) => {
        const before = this.#streams.get(streamId) ?? []
        this.#streams.set(streamId, [...before, ...events.map(({ data }) => data)])
        return [streamId, this.versionOf(streamId)] as const
      }),
    }
  }
}

/** Tells whether a stream at a version is as its writer expects. */
export function holds(expectation: Expectation | undefined, version: bigint): boolean {
  if (expectation === 'absent') return version === 0n
  if (expectation === 'present') return version > 0n
  return expectation === undefined || expectation === 'any' || expectation === version
}
