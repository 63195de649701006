import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'

/** What the server says when it is ready for the first query. */
const ready = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])

export interface HoldingProxy extends AsyncDisposable {
  readonly connectionString: string
  /** Resolves once a server was ready, which its client has not heard. */
  readonly held: Promise<void>
}

/**
 * Stands between a client and the server, and holds back that the server is ready until it says more:
 * the client gets both in one read.
 */
export async function holdReady(connectionString: string): Promise<HoldingProxy> {
  const { hostname, port } = new URL(connectionString)
  const held = Promise.withResolvers<void>()
  const proxy = createServer((client) => {
    const server = connect(Number(port), hostname)
    let kept: Buffer | undefined
    client.on('error', () => {})
    server.on('error', () => {})
    client.pipe(server)
    server.on('data', (chunk) => {
      if (kept === undefined && chunk.subarray(-ready.length).equals(ready)) {
        kept = chunk
        held.resolve()
      } else {
        client.write(kept === undefined ? chunk : Buffer.concat([kept, chunk]))
      }
    })
    server.on('close', () => client.end())
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const url = new URL(connectionString)
  url.hostname = '127.0.0.1'
  url.port = String((proxy.address() as AddressInfo).port)
  return {
    connectionString: url.href,
    held: held.promise,
    [Symbol.asyncDispose]: async () => {
      proxy.close()
      await once(proxy, 'close')
    },
  }
}
