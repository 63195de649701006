import { isTidemarkError, TidemarkError } from '../core/tidemark-error.ts'
import type { MessageToPark } from './parked-messages.ts'
import type { OutboxMessage } from './publisher.ts'
import type { Relay } from './relay.ts'

/** What became of the messages of a run. */
export interface Relayed {
  /** Those that are to be parked, in their order. */
  readonly toPark: readonly MessageToPark[]
  /** The refusal at which the relay has to stop, and the message in front of which it does. */
  readonly stopAt: { readonly message: OutboxMessage; readonly error: TidemarkError } | null
}

/** Publishes messages. @returns false when it was aborted. @throws MESSAGE_REFUSED */
export type Publish = (messages: readonly OutboxMessage[]) => Promise<boolean>

/**
 * Publishes the messages of a run, but for those whose key is parked. One that the broker refuses for good is
 * parked, with all later ones of its key, or stopped at; all before it are published first.
 *
 * @param parkedKeys keys of which messages are parked already.
 * @returns undefined when it was aborted.
 */
export async function relayMessages(
  relay: Pick<Relay, 'name' | 'onRefused'>,
  messages: readonly OutboxMessage[],
  parkedKeys: ReadonlySet<string>,
  publish: Publish,
): Promise<Relayed | undefined> {
  const parkedFrom = new Map([...parkedKeys].map((key) => [key, 0n]))
  const refused = new Map<OutboxMessage, TidemarkError>()
  for (;;) {
    const open = messages.filter((one) => !refused.has(one) && !isParked(one, parkedFrom))
    const error = await refusalOf(open, publish)
    if (error === 'aborted') return undefined
    if (error === undefined) break
    const message = findRefused(open, error)
    if (relay.onRefused === 'stop') {
      // The others of the run may be published twice, never too late.
      return stopInFrontOf(relay, messages, message, error, publish)
    }
    refused.set(message, error)
    parkLater(message, parkedFrom)
  }
  const toPark = messages
    .filter((one) => refused.has(one) || isParked(one, parkedFrom))
    .map((message) => ({ message, error: reasonOf(refused.get(message)) }))
  return { toPark, stopAt: null }
}

/** Whether a message comes after one of its key that is parked. Those before it are published. */
function isParked(
  { key, position }: OutboxMessage,
  parkedFrom: ReadonlyMap<string, bigint>,
): boolean {
  const from = key === null ? undefined : parkedFrom.get(key)
  return from !== undefined && position > from
}

function parkLater({ key, position }: OutboxMessage, parkedFrom: Map<string, bigint>): void {
  if (key === null) return
  const from = parkedFrom.get(key)
  if (from === undefined || position < from) parkedFrom.set(key, position)
}

async function stopInFrontOf(
  relay: Pick<Relay, 'name' | 'onRefused'>,
  messages: readonly OutboxMessage[],
  message: OutboxMessage,
  error: TidemarkError,
  publish: Publish,
): Promise<Relayed | undefined> {
  const before = messages.slice(0, messages.indexOf(message))
  const first = before.length === 0 ? undefined : await refusalOf(before, publish)
  if (first === 'aborted') return undefined
  if (first === undefined) return { toPark: [], stopAt: { message, error } }
  return stopInFrontOf(relay, messages, findRefused(before, first), first, publish)
}

async function refusalOf(
  messages: readonly OutboxMessage[],
  publish: Publish,
): Promise<TidemarkError | 'aborted' | undefined> {
  if (messages.length === 0) return undefined
  try {
    return (await publish(messages)) ? undefined : 'aborted'
  } catch (error) {
    if (isTidemarkError(error, 'MESSAGE_REFUSED')) return error
    throw error
  }
}

function findRefused(messages: readonly OutboxMessage[], error: TidemarkError): OutboxMessage {
  const { messageId } = error.details as { readonly messageId: string }
  const message = messages.find(({ id }) => id === messageId)
  if (message !== undefined) return message
  throw new TidemarkError(
    'SUBSCRIPTION_FAILED',
    `a publisher refused message "${messageId}", which it was not given`,
    {
      details: { subscription: 'relay', reason: error.message },
      cause: error,
    },
  )
}

function reasonOf(error: TidemarkError | undefined): MessageToPark['error'] {
  return error === undefined ? null : { code: error.code, message: error.message }
}
