import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import pLimit from 'p-limit'
import { webhook } from '../../src/index.ts'
import type { RelaySide } from './relay-side.ts'

const maxInFlight = 8

/** A receiver in this process that answers at once. */
export async function webhookSide(): Promise<RelaySide> {
  const server = createServer((received, response) => {
    received.resume().on('end', () => response.writeHead(204).end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const agent = new Agent({ keepAlive: true, maxSockets: maxInFlight })
  const limit = pLimit(maxInFlight)
  const post = async (body: Buffer) => {
    const posting = request(url, { method: 'POST', agent }).end(body)
    const [response] = await once(posting, 'response')
    response.resume()
    await once(response, 'end')
  }
  return {
    open: webhook({ url, secret: Buffer.alloc(32).toString('base64'), maxInFlight }),
    publishBare: (body, count) =>
      Promise.all(Array.from({ length: count }, () => limit(() => post(body)))),
    [Symbol.asyncDispose]: async () => {
      agent.destroy()
      server.closeAllConnections()
      server.close()
    },
  }
}
