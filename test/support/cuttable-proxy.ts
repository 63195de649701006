import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A network between clients and the server that can break down without telling anybody. */
export interface CuttableProxy extends AsyncDisposable {
  readonly connectionString: string
  /** Connections that clients have made, all in all. */
  readonly attempts: number
  /** Swallows every packet of the connections that are open, both ways, and closes none. */
  cutOpen(): void
  /** Does so with those that are yet to come, too. */
  cut(): void
  /** Lets new connections pass. Whoever still speaks on a cut one is told that it is gone. */
  heal(): void
}

interface Link {
  readonly client: Socket
  readonly server: Socket
  isCut: boolean
}

/** Starts a proxy in front of a server; its connection string is for whom the server's is. */
export async function startCuttableProxy(connectionString: string): Promise<CuttableProxy> {
  const { hostname, port } = new URL(connectionString)
  const links = new Set<Link>()
  let isCut = false
  let attempts = 0

  const listener = createServer((client) => {
    attempts += 1
    const link: Link = { client, server: connect(Number(port), hostname), isCut }
    links.add(link)
    join(link, link.client, link.server)
    join(link, link.server, link.client)
    const forget = () => {
      if (client.closed && link.server.closed) links.delete(link)
    }
    client.on('close', forget)
    link.server.on('close', forget)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const url = new URL(connectionString)
  url.hostname = '127.0.0.1'
  url.port = String((listener.address() as AddressInfo).port)

  const cutOpen = () => {
    for (const link of links) link.isCut = true
  }
  const heal = () => {
    isCut = false
    for (const { client, server, isCut: wasCut } of links) {
      if (!wasCut) continue
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
  }
  return {
    connectionString: url.href,
    get attempts() {
      return attempts
    },
    cutOpen,
    cut: () => {
      isCut = true
      cutOpen()
    },
    heal,
    [Symbol.asyncDispose]: async () => {
      for (const { client, server } of links) {
        client.destroy()
        server.destroy()
      }
      listener.close()
      await once(listener, 'close')
    },
  }
}

function join(link: Link, from: Socket, to: Socket): void {
  from.on('error', () => {})
  from.on('data', (chunk) => {
    if (!link.isCut && !to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => {
    if (!link.isCut) to.end()
  })
  from.on('close', () => {
    if (!link.isCut) to.destroy()
  })
}
