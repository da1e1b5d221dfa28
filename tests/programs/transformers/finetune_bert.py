# Fine-tune BERT for two classes on a table of texts: AdamW 2e-5, 3 epochs, batches of 16.
# Arguments: the model's folder, the table, where to save.
import csv
import sys

import torch
from torch.optim import AdamW
from torch.utils.data import DataLoader, Dataset
from transformers import BertForSequenceClassification, BertTokenizer, get_linear_schedule_with_warmup

folder, table, out = sys.argv[1:4]
torch.manual_seed(42)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class ReviewDataset(Dataset):
    def __init__(self, rows, tokenizer, max_length=64):
        self.rows, self.tokenizer, self.max_length = rows, tokenizer, max_length

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        text, label = self.rows[index]
        encoding = self.tokenizer(
            text, padding="max_length", truncation=True, max_length=self.max_length, return_tensors="pt"
        )
        item = {name: tensor.squeeze(0) for name, tensor in encoding.items()}
        item["labels"] = torch.tensor(label, dtype=torch.long)
        return item


with open(table, encoding="utf-8", newline="") as file:
    rows = [(row["text"], int(row["label"])) for row in csv.DictReader(file)]

tokenizer = BertTokenizer.from_pretrained(folder)
model = BertForSequenceClassification.from_pretrained(folder, num_labels=2)
model.to(device)

loader = DataLoader(ReviewDataset(rows, tokenizer), batch_size=16, shuffle=True)
epochs = 3
optimizer = AdamW(model.parameters(), lr=2e-5)
scheduler = get_linear_schedule_with_warmup(optimizer, num_warmup_steps=0, num_training_steps=len(loader) * epochs)

for epoch in range(epochs):
    model.train()
    total = 0.0
    for batch in loader:
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        optimizer.zero_grad()
        outputs = model(**batch)
        loss = outputs.loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        total += loss.item()

    model.eval()
    correct = 0
    with torch.no_grad():
        for batch in DataLoader(ReviewDataset(rows, tokenizer), batch_size=16):
            labels = batch.pop("labels")
            logits = model(**{name: tensor.to(device) for name, tensor in batch.items()}).logits
            correct += (torch.argmax(logits, dim=-1).cpu() == labels).sum().item()
    print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}, accuracy {correct / len(rows):.3f}")

model.save_pretrained(out)
tokenizer.save_pretrained(out)
again = BertForSequenceClassification.from_pretrained(out)
inputs = tokenizer(rows[0][0], return_tensors="pt")
with torch.no_grad():
    print("saved and loaded:", torch.equal(again(**inputs).logits, model(**inputs).logits))
