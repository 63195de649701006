import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** An address that leads to one server at a time, as a virtual IP or a name in DNS does. */
export interface MovingAddress {
  /** The given connection string, by way of this address. */
  readonly connectionString: string
  readonly port: number
  /** Ends all connections, and leads to another port of this machine from now on, or nowhere. */
  moveTo(port: number | undefined): void
}

/** Opens an address in front of a server; it is closed when the test ends. */
export async function openAddress(connectionString: string): Promise<MovingAddress> {
  const url = new URL(connectionString)
  let target: number | undefined = Number(url.port)
  const sockets = new Set<Socket>()
  const listener = createServer((client) => {
    if (target === undefined) return void client.destroy()
    const server = connect(target, url.hostname)
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  })
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  onTestFinished(() => {
    cut()
    listener.close()
  })
  const { port } = listener.address() as AddressInfo
  url.port = String(port)
  return {
    connectionString: url.href,
    port,
    moveTo: (next) => {
      target = next
      cut()
    },
  }
}
