import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Random } from '../support/random.ts'

/** The chance of a request to go wrong in one of these ways, also while all is well. */
const chances = { refused: 0.001, 'cut before': 0.001, 'cut after': 0.001 }

/** Where relays publish to: it keeps what it has confirmed, and what it has and did not come to confirm. */
export class Broker implements AsyncDisposable {
  readonly #server: Server
  readonly #random: Random
  #isAway = false
  #repeated = 0
  /** Ids of messages, each where it came first. */
  readonly #arrived = new Set<string>()

  private constructor(server: Server, random: Random) {
    this.#server = server
    this.#random = random
    server.on('request', (request, response) => this.#take(request, response))
  }

  static async start(random: Random): Promise<Broker> {
    const server = createServer()
    const broker = new Broker(server, random)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return broker
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  /** Ids of the messages that came, in the order in which each came first. */
  get arrived(): ReadonlySet<string> {
    return this.#arrived
  }

  /** Messages that came again. */
  get repeated(): number {
    return this.#repeated
  }

  /** Whether it lets nobody in. */
  set isAway(isAway: boolean) {
    this.#isAway = isAway
    if (isAway) this.#server.closeAllConnections()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    let text = ''
    request.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    request.on('error', () => {})
    request.on('end', () => this.#answer(text, request, response))
  }

  #answer(text: string, request: IncomingMessage, response: ServerResponse): void {
    const random = this.#random
    if (this.#isAway || random.chance(chances['cut before'])) {
      request.socket.destroy()
    } else if (random.chance(chances.refused)) {
      response.writeHead(503).end()
    } else {
      const { id } = JSON.parse(text) as { id: string }
      if (this.#arrived.has(id)) this.#repeated += 1
      this.#arrived.add(id)
      if (random.chance(chances['cut after'])) request.socket.destroy()
      else response.writeHead(204).end()
    }
  }
}
