import type { AnyEventDefinition, EventDefinition, EventOf } from '../core/event.ts'
import type { EventRegistry, UnknownEvents } from '../core/event-registry.ts'
import type { RecordedEvent, SequencedEvent } from '../core/recorded-event.ts'
import type { LogNames } from '../db/log-names.ts'
import type { Connection } from '../db/queryable.ts'
import type { EventPage } from './iterate-pages.ts'
import { type ReadChainOptions, readCauses, readEffects } from './read-chain.ts'
import {
  iterateLog,
  type LogPage,
  type LogPageOptions,
  type ReadLogOptions,
  readLog,
} from './read-log.ts'
import {
  iterateStream,
  type ReadStreamOptions,
  readLastEvent,
  readStream,
  readStreamPage,
  readStreamVersion,
  type StreamPageOptions,
} from './read-stream.ts'

/** An event of one of the definitions, sequenced or not, as a union. */
export type RecordedEventOf<D extends AnyEventDefinition> =
  D extends EventDefinition<infer Type, never, infer Data> ? RecordedEvent<Type, Data> : never

/** What is read without an order of the log: any event at all where unknown ones come raw. */
export type StreamEvent<D extends AnyEventDefinition, U extends UnknownEvents> = 'raw' extends U
  ? RecordedEvent
  : RecordedEventOf<D>

/** What is read in the order of the log: any event at all where unknown ones come raw. */
export type LogEvent<D extends AnyEventDefinition, U extends UnknownEvents> = 'raw' extends U
  ? SequencedEvent
  : EventOf<D>

/**
 * Reads events, in their newest shape. Streams are read as they are in the table; the log is read as
 * far as it is sequenced. Each read can join a transaction of the caller's (`tx`).
 */
export interface EventReader<D extends AnyEventDefinition = AnyEventDefinition> {
  /** Reads events of one stream. See `readStream`. */
  readStream<U extends UnknownEvents = 'fail'>(
    streamId: string,
    options?: ReadStreamOptions<U>,
  ): Promise<readonly StreamEvent<D, U>[]>

  /** Reads a page of one stream, for HTTP. See `readStreamPage`. */
  readStreamPage<U extends UnknownEvents = 'fail'>(
    streamId: string,
    options?: StreamPageOptions<U>,
  ): Promise<EventPage<StreamEvent<D, U>>>

  /** Reads one stream to its end, page by page as needed. See `iterateStream`. */
  streamEvents<U extends UnknownEvents = 'fail'>(
    streamId: string,
    options?: ReadStreamOptions<U>,
  ): AsyncGenerator<StreamEvent<D, U>, void, undefined>

  /** Reads the last event of a stream: undefined when it is empty. */
  readLastEvent<U extends UnknownEvents = 'fail'>(
    streamId: string,
    options?: Pick<ReadStreamOptions<U>, 'tx' | 'unknownEvents'>,
  ): Promise<StreamEvent<D, U> | undefined>

  /** Reads how long a stream is: the version of its last event, 0 when it is empty. */
  streamVersion(streamId: string, options?: Pick<ReadStreamOptions, 'tx'>): Promise<bigint>

  /** Reads a page of the log: all events, or those of some types, a category and so on. See `readLog`. */
  readLog<U extends UnknownEvents = 'fail'>(
    options?: LogPageOptions<U>,
  ): Promise<LogPage<LogEvent<D, U>>>

  /** Reads the log to its end, page by page as needed. See `iterateLog`. */
  logEvents<U extends UnknownEvents = 'fail'>(
    options?: ReadLogOptions<U>,
  ): AsyncGenerator<LogEvent<D, U>, void, undefined>

  /** Reads the causes of an event, the root first. See `readCauses`. */
  readCauses<U extends UnknownEvents = 'fail'>(
    eventId: string,
    options?: ReadChainOptions<U>,
  ): Promise<readonly StreamEvent<D, U>[]>

  /** Reads what an event caused, in the order of the log. See `readEffects`. */
  readEffects<U extends UnknownEvents = 'fail'>(
    eventId: string,
    options?: ReadChainOptions<U>,
  ): Promise<readonly StreamEvent<D, U>[]>
}

export interface EventReaderContext {
  /** For whatever does not join a transaction of the caller's. */
  readonly connection: Connection
  readonly names: LogNames
  readonly registry: EventRegistry
}

/** Makes the reading part of a store. It owns nothing: the caller ends the connections. */
export function eventReader<D extends AnyEventDefinition = AnyEventDefinition>(
  context: EventReaderContext,
): EventReader<D> {
  const { connection, names, registry } = context
  const reader: EventReader = {
    readStream: (streamId, options) => readStream(connection, names, registry, streamId, options),
    readStreamPage: (streamId, options) =>
      readStreamPage(connection, names, registry, streamId, options),
    streamEvents: (streamId, options) =>
      iterateStream(connection, names, registry, streamId, options),
    readLastEvent: (streamId, options) =>
      readLastEvent(connection, names, registry, streamId, options),
    streamVersion: (streamId, { tx = connection } = {}) => readStreamVersion(tx, names, streamId),
    readLog: (options) => readLog(connection, names, registry, options),
    logEvents: (options) => iterateLog(connection, names, registry, options),
    readCauses: (eventId, options) => readCauses(connection, names, registry, eventId, options),
    readEffects: (eventId, options) => readEffects(connection, names, registry, eventId, options),
  }
  // What the registry makes of an event is an event of one of its definitions, or raw.
  return reader as EventReader<D>
}
