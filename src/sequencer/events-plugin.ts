import { PgoutputPlugin } from 'pg-logical-replication'
import type { WalMessage } from './commit-assembler.ts'
import { invalidStream } from './invalid-stream.ts'

/** A message of the stream, or the reason why it could not be decoded. */
export type DecodedMessage = WalMessage | { readonly tag: 'undecodable'; readonly error: unknown }

type Message = ReturnType<PgoutputPlugin['parse']>

/** What is known of a table whose rows come: where the columns stand that are read, if it is ours. */
interface Relation {
  /** What a row of it is; undefined for a table that is not ours. */
  readonly row: 'event' | 'message' | undefined
  readonly incarnation: number
  readonly transactionId: number
}

const rowKinds: ReadonlyMap<string, 'event' | 'message'> = new Map([
  ['events', 'event'],
  ['outbox', 'message'],
])

/** Microseconds from 1970, which commits are counted from here, to 2000, which the server counts from. */
const serverEpochUs = 946_684_800_000_000n

const kinds = { null: 0x6e, text: 0x74, unchanged: 0x75 }

/**
 * The library's plugin with a decoder that reads of protocol 1 what sequencing needs, and makes no
 * objects of the rest: a commit costs a fifth, a row of a large transaction less. A message that cannot
 * be decoded is delivered as such: thrown inside the socket's callback it would end the process.
 *
 * Format: https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export class EventsPlugin extends PgoutputPlugin {
  readonly #schema: string
  readonly #relations = new Map<number, Relation>()

  constructor(publication: string, schema: string) {
    super({ protoVersion: 1, publicationNames: [publication] })
    this.#schema = schema
  }

  override parse(buffer: Buffer): Message {
    return this.decode(buffer) as unknown as Message
  }

  /** Decodes one message. Never throws. */
  decode(buffer: Buffer): DecodedMessage {
    try {
      return this.#decode(buffer)
    } catch (error) {
      return { tag: 'undecodable', error }
    }
  }

  #decode(buffer: Buffer): WalMessage {
    const tag = String.fromCharCode(buffer[0] ?? 0)
    switch (tag) {
      case 'B':
        return { tag: 'begin' }
      case 'C':
        return {
          tag: 'commit',
          endLsn: buffer.readBigUInt64BE(10),
          committedAtUs: buffer.readBigInt64BE(18) + serverEpochUs,
        }
      case 'I':
        return this.#insert(buffer)
      case 'R':
        this.#learn(buffer)
        return { tag: 'other' }
      case 'Y':
      case 'O':
      case 'M':
      case 'U':
      case 'D':
      case 'T':
        return { tag: 'other' }
      default:
        throw invalidStream(`there is no message "${tag}"`)
    }
  }

  #learn(buffer: Buffer): void {
    const reader = new Reader(buffer, 5)
    const schema = reader.text()
    const name = reader.text()
    reader.skip(1)
    const columns = Array.from({ length: reader.int16() }, () => {
      reader.skip(1)
      const column = reader.text()
      reader.skip(8)
      return column
    })
    const row = schema === this.#schema ? rowKinds.get(name) : undefined
    const incarnation = columns.indexOf('incarnation')
    const transactionId = columns.indexOf('transaction_id')
    if (row !== undefined && (incarnation < 0 || transactionId < 0)) {
      throw invalidStream(`the columns of ${name} are ${columns.join(', ')}`)
    }
    this.#relations.set(buffer.readUInt32BE(1), { row, incarnation, transactionId })
  }

  #insert(buffer: Buffer): WalMessage {
    const relation = this.#relations.get(buffer.readUInt32BE(1))
    if (relation === undefined) throw invalidStream('a row came of a table that was not described')
    if (relation.row === undefined) return { tag: 'foreign-row' }
    const reader = new Reader(buffer, 6)
    const count = reader.int16()
    let incarnation: string | undefined
    let transactionId: string | undefined
    for (let column = 0; column < count; column += 1) {
      if (column === relation.incarnation) incarnation = reader.value()
      else if (column === relation.transactionId) transactionId = reader.value()
      else reader.skipValue()
    }
    if (incarnation === undefined || transactionId === undefined) {
      throw invalidStream(`a row of kind ${relation.row} came without its transaction`)
    }
    return { tag: relation.row, incarnation, transactionId }
  }
}

/** Reads one message from front to back. Throws a RangeError where it ends too early. */
class Reader {
  readonly #buffer: Buffer
  #at: number

  constructor(buffer: Buffer, at: number) {
    this.#buffer = buffer
    this.#at = at
  }

  skip(bytes: number): void {
    this.#at += bytes
  }

  int16(): number {
    this.#at += 2
    return this.#buffer.readInt16BE(this.#at - 2)
  }

  /** A text that ends with a zero. */
  text(): string {
    const end = this.#buffer.indexOf(0, this.#at)
    if (end < 0) throw new RangeError('a text has no end')
    const text = this.#buffer.toString('utf8', this.#at, end)
    this.#at = end + 1
    return text
  }

  /** A column's value in the server's text format; undefined for null. */
  value(): string | undefined {
    const length = this.#valueLength()
    if (length === undefined) return undefined
    const begin = this.#at
    this.#at += length
    if (this.#at > this.#buffer.length) throw new RangeError('a value has no end')
    return this.#buffer.toString('latin1', begin, this.#at)
  }

  skipValue(): void {
    const length = this.#valueLength() ?? 0
    this.#at += length
  }

  #valueLength(): number | undefined {
    const kind = this.#buffer[this.#at]
    this.#at += 1
    if (kind === kinds.null || kind === kinds.unchanged) return undefined
    if (kind !== kinds.text) throw invalidStream(`a value is of kind ${kind}`)
    this.#at += 4
    return this.#buffer.readInt32BE(this.#at - 4)
  }
}
