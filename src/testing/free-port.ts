import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** Finds a TCP port on 127.0.0.1 that is free now; someone else can take it before it is used. */
export async function findFreePort(): Promise<number> {
  return listenBriefly(0)
}

/** Tells whether a TCP port on 127.0.0.1 is free now. */
export async function isFreePort(port: number): Promise<boolean> {
  return listenBriefly(port).then(
    () => true,
    () => false,
  )
}

async function listenBriefly(port: number): Promise<number> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return address.port
}
