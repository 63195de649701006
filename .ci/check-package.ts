// Packs the project, installs the package into an empty one as a user would, and there type-checks
// and runs the README's program and the installed command.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbeddedPostgres } from '../src/testing/embedded-postgres.ts'

const typeChecks = [
  ...['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2024'],
  ...['--lib', 'es2024,esnext.disposable', '--module', 'nodenext', '--types', 'node'],
]

const relaysProgram = `
import { webhook, type OpenPublisher } from 'tidemark'
import { kafka } from 'tidemark/kafka'
import { nats } from 'tidemark/nats'
import { rabbitmq } from 'tidemark/rabbitmq'
import { redis } from 'tidemark/redis'

const relays: OpenPublisher[] = [
  rabbitmq({ url: 'amqp://127.0.0.1', exchange: 'events' }),
  nats({ connection: { servers: '127.0.0.1' }, stream: 'events' }),
  redis({ connection: 'redis://127.0.0.1', stream: 'events' }),
  kafka({ connection: { clientId: 'a', bootstrapBrokers: ['127.0.0.1:9092'] } }),
  webhook({ url: 'https://127.0.0.1', secret: 'A'.repeat(32) }),
]
for (const open of relays) await (await open({ source: '/a' }))[Symbol.asyncDispose]()
console.log('opened', relays.length)
`

const root = join(import.meta.dirname, '..')
const project = mkdtempSync(join(tmpdir(), 'tidemark-package-'))
await using server = await startEmbeddedPostgres({ durable: false })
try {
  const packed = run(root, 'npm', ['pack', '--silent', '--pack-destination', project])
  const { devDependencies: versions } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  writeFileSync(join(project, 'package.json'), '{ "type": "module", "private": true }\n')
  const peers = ['kysely', 'pg', 'zod', '@types/pg', '@types/node', 'typescript', 'node']
  run(project, 'npm', [
    'install',
    '--silent',
    '--no-audit',
    '--no-fund',
    join(project, packed.trim()),
    ...peers.map((name) => `${name}@${versions[name]}`),
  ])

  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  for (const name of ['program', 'deciders']) {
    const block = new RegExp(`<!-- ${name}.*?-->\\n\`\`\`ts\\n(.*?)\`\`\``, 's')
    const program = block.exec(readme)?.[1]
    if (program === undefined) throw new Error(`the README has no ${name}`)
    writeFileSync(join(project, `${name}.ts`), program)
  }
  run(project, 'npx', ['tsc', ...typeChecks, 'program.ts', 'deciders.ts'])
  const printed = run(project, 'npx', ['node', 'program.ts'])
  if (!/status: 'paid'/.test(printed)) throw new Error(`the program printed: ${printed}`)

  const decided = run(project, 'npx', ['node', 'deciders.ts'])
  if (!/type: 'order.paid'/.test(decided)) throw new Error(`the decider printed: ${decided}`)

  // Nobody has installed a client of a broker so far. With one, its publisher is to be had.
  const relays = Object.keys(versions).filter((name) => /amqplib|ioredis|kafka|nats-io/.test(name))
  run(project, 'npm', [
    ...['install', '--silent', '--no-audit', '--no-fund'],
    ...relays.map((name) => `${name}@${versions[name]}`),
  ])
  writeFileSync(join(project, 'relays.ts'), relaysProgram)
  run(project, 'npx', ['tsc', ...typeChecks, '--skipLibCheck', 'relays.ts'])
  const opened = run(project, 'npx', ['node', 'relays.ts'])
  if (opened.trim() !== 'opened 5') throw new Error(`the publishers printed: ${opened}`)

  const status = run(project, 'npx', ['tidemark', 'status', '--json'])
  if (JSON.parse(status).position !== '2') throw new Error(`tidemark status printed: ${status}`)
  console.log('the package installs, type-checks, appends, projects and answers')
} finally {
  rmSync(project, { recursive: true, force: true })
}

function run(cwd: string, command: string, args: readonly string[]): string {
  return execFileSync(command, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, DATABASE_URL: server.connectionString },
  })
}
