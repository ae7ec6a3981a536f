-- The file type of Runefiles.

vim.api.nvim_create_autocmd({ "BufRead", "BufNewFile" }, {
  pattern = { "Runefile", "Runefile.*", "*.Runefile", "*.runefile" },
  callback = function(event)
    local ending = vim.fn.fnamemodify(event.file, ":e")
    if ending ~= "yml" and ending ~= "yaml" then
      vim.bo[event.buf].filetype = "runefile"
    end
  end,
})
