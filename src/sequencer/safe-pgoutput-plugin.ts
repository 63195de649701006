import { PgoutputPlugin } from 'pg-logical-replication'
import type { WalMessage } from './commit-assembler.ts'

type Message = ReturnType<PgoutputPlugin['parse']>

/** A message of the stream, or the reason why it could not be decoded. */
export type DecodedMessage = WalMessage | { readonly tag: 'undecodable'; readonly error: unknown }

/**
 * The library's decoder, except that a message which it cannot decode is delivered as such: thrown
 * inside the socket's callback it would end the process.
 */
export class SafePgoutputPlugin extends PgoutputPlugin {
  override parse(buffer: Buffer): Message {
    try {
      return super.parse(buffer)
    } catch (error) {
      const undecodable: DecodedMessage = { tag: 'undecodable', error }
      return undecodable as unknown as Message
    }
  }
}
