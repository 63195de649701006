import type { CloudEvent } from '../../../../src/outbox/cloud-event.ts'
import type { CloudEventMode } from '../../../../src/outbox/encode-message.ts'
import type { Publisher } from '../../../../src/outbox/publisher.ts'
import type { BrokerProxy } from '../../../support/broker-proxy.ts'

export interface OpenOptions {
  /** How many messages may wait for their confirmation, or are one batch. */
  readonly inFlight?: number
  readonly confirmTimeoutMs?: number
  readonly mode?: CloudEventMode
}

/** A place at a real broker that nobody else uses, and its own publisher, which comes through a proxy. */
export interface BrokerUnderTest extends AsyncDisposable {
  readonly proxy: BrokerProxy
  /** What stands before each topic. */
  readonly topicPrefix: string
  /** Messages larger than this are refused. */
  readonly maxMessageBytes: number
  openPublisher(options?: OpenOptions): Promise<Publisher>
  /** Lists what has arrived, in the order of its coming, duplicates too; read past the publisher and the proxy. */
  received(): Promise<readonly CloudEvent[]>
}

/** A broker that the conformance suite is run against. */
export interface BrokerKind {
  readonly name: string
  /** How many messages it takes in seconds. */
  readonly manyMessages: number
  /** Says why it is not to be had here, or nothing. */
  unavailable(): Promise<string | undefined>
  start(): Promise<BrokerUnderTest>
}
