// Imported before all else, which may not even load on an older Node.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major < 22 || (major === 22 && minor < 22)) {
  process.stderr.write(
    `NODE_VERSION_UNSUPPORTED: tidemark needs Node 22.22 or newer, this is ${process.versions.node}\n`,
  )
  process.exit(2)
}
