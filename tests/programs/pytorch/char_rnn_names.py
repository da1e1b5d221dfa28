"""Names told apart by a hand-made RNN over one-hot letters, then made up by a second one that writes them."""

import math
import random
import string
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

random.seed(3)
torch.manual_seed(3)
all_letters = string.ascii_letters + " .,;'"
n_letters = len(all_letters)
category_lines = {
    "Italian": "Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno Gallo".split(),
    "Japanese": "Sato Suzuki Takahashi Tanaka Watanabe Ito Yamamoto Nakamura Kobayashi Kato Yoshida".split(),
    "Scottish": "Smith Brown Wilson Thomson Robertson Campbell Stewart Anderson MacDonald Scott Reid".split(),
}
all_categories = list(category_lines)
n_categories = len(all_categories)


def letterToIndex(letter):
    return all_letters.find(letter)


def lineToTensor(line):
    tensor = torch.zeros(len(line), 1, n_letters)
    for li, letter in enumerate(line):
        tensor[li][0][letterToIndex(letter)] = 1
    return tensor


print(lineToTensor("Jones").size(), lineToTensor("Jones").nonzero().tolist()[:3])


class RNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super(RNN, self).__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size + hidden_size, hidden_size)
        self.i2o = nn.Linear(input_size + hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        combined = torch.cat((input, hidden), 1)
        hidden = torch.tanh(self.i2h(combined))
        output = self.i2o(combined)
        output = self.softmax(output)
        return output, hidden

    def initHidden(self):
        return torch.zeros(1, self.hidden_size)


n_hidden = 24
rnn = RNN(n_letters, n_hidden, n_categories)
input = lineToTensor("Albert")
hidden = torch.zeros(1, n_hidden)
output, next_hidden = rnn(input[0], hidden)
print(output)


def categoryFromOutput(output):
    top_n, top_i = output.topk(1)
    category_i = top_i[0].item()
    return all_categories[category_i], category_i


print(categoryFromOutput(output))


def randomChoice(l):
    return l[random.randint(0, len(l) - 1)]


def randomTrainingExample():
    category = randomChoice(all_categories)
    line = randomChoice(category_lines[category])
    category_tensor = torch.tensor([all_categories.index(category)], dtype=torch.long)
    line_tensor = lineToTensor(line)
    return category, line, category_tensor, line_tensor


criterion = nn.NLLLoss()
learning_rate = 0.02


def train(category_tensor, line_tensor):
    hidden = rnn.initHidden()
    rnn.zero_grad()
    for i in range(line_tensor.size()[0]):
        output, hidden = rnn(line_tensor[i], hidden)
    loss = criterion(output, category_tensor)
    loss.backward()
    for p in rnn.parameters():
        p.data.add_(p.grad.data, alpha=-learning_rate)
    return output, loss.item()


def timeSince(since):
    s = time.time() - since
    m = math.floor(s / 60)
    return "%dm" % m


current_loss = 0
all_losses = []
start = time.time()
for iter in range(1, 181):
    category, line, category_tensor, line_tensor = randomTrainingExample()
    output, loss = train(category_tensor, line_tensor)
    current_loss += loss
    if iter % 60 == 0:
        guess, guess_i = categoryFromOutput(output)
        correct = "✓" if guess == category else "✗ (%s)" % category
        print("%d %d%% (%s) %.4f %s / %s %s" % (iter, iter / 180 * 100, timeSince(start), loss, line, guess, correct))
        all_losses.append(current_loss / 60)
        current_loss = 0
print([round(x, 4) for x in all_losses])

confusion = torch.zeros(n_categories, n_categories)
with torch.no_grad():
    for category, lines in category_lines.items():
        for line in lines:
            hidden = rnn.initHidden()
            for letter in lineToTensor(line):
                output, hidden = rnn(letter, hidden)
            confusion[all_categories.index(category)][categoryFromOutput(output)[1]] += 1
for i in range(n_categories):
    confusion[i] = confusion[i] / confusion[i].sum()
print(confusion)


def predict(input_line, n_predictions=2):
    print("> %s" % input_line)
    with torch.no_grad():
        hidden = rnn.initHidden()
        for letter in lineToTensor(input_line):
            output, hidden = rnn(letter, hidden)
        topv, topi = output.topk(n_predictions, 1, True)
        for i in range(n_predictions):
            value = topv[0][i].item()
            category_index = topi[0][i].item()
            print("(%.4f) %s" % (value, all_categories[category_index]))


predict("Yamada")
predict("MacReid")

# ------------------------------------------------------------------------------ the other way: from category to name


class GenerateRNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super(GenerateRNN, self).__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(n_categories + input_size + hidden_size, hidden_size)
        self.i2o = nn.Linear(n_categories + input_size + hidden_size, output_size)
        self.o2o = nn.Linear(hidden_size + output_size, output_size)
        self.dropout = nn.Dropout(0.1)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, category, input, hidden):
        input_combined = torch.cat((category, input, hidden), 1)
        hidden = self.i2h(input_combined)
        output = self.i2o(input_combined)
        output_combined = torch.cat((hidden, output), 1)
        output = self.o2o(output_combined)
        output = self.dropout(output)
        return self.softmax(output), hidden


def targetTensor(line):
    letter_indexes = [all_letters.find(line[li]) for li in range(1, len(line))]
    letter_indexes.append(n_letters - 1)
    return torch.LongTensor(letter_indexes)


rnn = GenerateRNN(n_letters, n_hidden, n_letters)
optimizer = torch.optim.Adam(rnn.parameters(), lr=0.01)
total_loss = 0
for iter in range(1, 61):
    category, line, category_tensor, input_line_tensor = randomTrainingExample()
    target_line_tensor = targetTensor(line)
    target_line_tensor.unsqueeze_(-1)
    one_hot = F.one_hot(category_tensor, n_categories).float()
    hidden = torch.zeros(1, n_hidden)
    optimizer.zero_grad()
    loss = torch.Tensor([0])
    for i in range(input_line_tensor.size(0)):
        output, hidden = rnn(one_hot, input_line_tensor[i], hidden)
        l = criterion(output, target_line_tensor[i])
        loss += l
    loss.backward()
    optimizer.step()
    total_loss += loss.item() / input_line_tensor.size(0)
    if iter % 20 == 0:
        print("%s (%d %d%%) %.3f" % (timeSince(start), iter, iter / 60 * 100, total_loss / 20))
        total_loss = 0
rnn.eval()
with torch.no_grad():
    for start_letter in "RSM":
        category_tensor = F.one_hot(torch.tensor([0]), n_categories).float()
        input = lineToTensor(start_letter)
        hidden = torch.zeros(1, n_hidden)
        output_name = start_letter
        for i in range(8):
            output, hidden = rnn(category_tensor, input[0], hidden)
            topv, topi = output.topk(1)
            topi = topi[0][0]
            if topi == n_letters - 1:
                break
            else:
                letter = all_letters[topi]
                output_name += letter
            input = lineToTensor(letter)
        print(output_name)
