-- Runefiles: comments, colours where the parser is installed, and the language server.
-- `vim.g.runec` names the program where it is not `runec` on the PATH.

vim.bo.commentstring = "# %s"
vim.bo.comments = ":#"
pcall(function() vim.treesitter.start() end)

local program = vim.g.runec or "runec"
if vim.fn.executable(program) == 0 then
  vim.notify_once(program .. " was not found: no diagnostics in Runefiles. Set vim.g.runec to where it is.")
  return
end

local server = {
  name = "runec",
  cmd = { program, "lsp" },
  root_dir = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ":p:h"),
}
if vim.lsp.start then
  vim.lsp.start(server)
else
  -- Neovim 0.7 does not share servers between buffers by itself.
  for _, client in pairs(vim.lsp.get_active_clients()) do
    if client.name == server.name and client.config.root_dir == server.root_dir then
      vim.lsp.buf_attach_client(0, client.id)
      return
    end
  end
  vim.lsp.buf_attach_client(0, vim.lsp.start_client(server))
end
