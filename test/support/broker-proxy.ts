import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface BrokerProxyOptions {
  readonly host?: string
  readonly port: number
  /** Changes what the server says, for servers that tell clients their own addresses. */
  readonly rewrite?: (chunk: Buffer) => Buffer
}

/** A network between a publisher and its broker that breaks as it is told to. */
export interface BrokerProxy extends AsyncDisposable {
  readonly port: number
  /** Connections that are open. */
  readonly open: number
  /** Connections that it has reset at once, while it was down. */
  readonly refused: number
  /** How often `breakAfter` has broken connections. */
  readonly breaks: number
  /** Bytes that clients have sent since the last `silence`. */
  readonly bytesSent: number
  /** Swallows what the server says, on connections that are open and those to come. What clients say passes. */
  silence(): void
  /** Reads nothing more of what clients say, on connections that are open and those to come. */
  stall(): void
  /** Resets every connection that is open, and those to come. */
  down(): void
  /** Resets every connection once clients have sent so many bytes more; those to come pass. */
  breakAfter(bytes: number): void
  /** Lets everything pass again. Connections that were silenced are reset. */
  heal(): void
}

interface Link {
  readonly client: Socket
  readonly server: Socket
}

type State = 'whole' | 'silent' | 'stalled' | 'down'

/** Starts a proxy in front of a broker. */
export async function startBrokerProxy(options: BrokerProxyOptions): Promise<BrokerProxy> {
  const { host = '127.0.0.1', port, rewrite = (chunk: Buffer) => chunk } = options
  const links = new Set<Link>()
  let state: State = 'whole'
  let bytesSent = 0
  let breaks = 0
  let refused = 0
  let bytesLeft = Number.POSITIVE_INFINITY

  const reset = () => {
    for (const { client, server } of links) {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
  }
  const listener = createServer((client) => {
    if (state === 'down') {
      refused += 1
      client.resetAndDestroy()
      return
    }
    const link: Link = { client, server: connect(port, host) }
    links.add(link)
    client.on('data', (chunk: Buffer) => {
      bytesSent += chunk.length
      bytesLeft -= chunk.length
      if (!link.server.write(chunk)) client.pause()
      if (bytesLeft > 0) return
      bytesLeft = Number.POSITIVE_INFINITY
      breaks += 1
      reset()
    })
    link.server.on('data', (chunk: Buffer) => {
      if (state !== 'silent' && !client.write(rewrite(chunk))) link.server.pause()
    })
    link.server.on('drain', () => state !== 'stalled' && client.resume())
    client.on('drain', () => link.server.resume())
    if (state === 'stalled') client.pause()
    for (const [from, to] of [
      [client, link.server],
      [link.server, client],
    ] as const) {
      from.on('error', () => {})
      from.on('end', () => to.end())
      from.on('close', () => {
        to.destroy()
        links.delete(link)
      })
    }
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')

  return {
    port: (listener.address() as AddressInfo).port,
    get open() {
      return links.size
    },
    get refused() {
      return refused
    },
    get breaks() {
      return breaks
    },
    get bytesSent() {
      return bytesSent
    },
    silence: () => {
      state = 'silent'
      bytesSent = 0
    },
    stall: () => {
      state = 'stalled'
      for (const { client } of links) client.pause()
    },
    down: () => {
      state = 'down'
      reset()
    },
    breakAfter: (bytes) => {
      bytesLeft = bytes
    },
    heal: () => {
      if (state !== 'whole') reset()
      state = 'whole'
      bytesLeft = Number.POSITIVE_INFINITY
    },
    [Symbol.asyncDispose]: async () => {
      reset()
      listener.close()
      await once(listener, 'close')
    },
  }
}
